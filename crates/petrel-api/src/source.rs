//! Where a request comes from: the address of the peer, or, if that is a proxy of ours,
//! what it says in `X-Forwarded-For`. What anybody else says there is ignored.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use petrel_logic::identity::Source;

use crate::Api;

/// The header in which proxies tell.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Proxies that are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// An address, or all that begin like it: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// It is no address and no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address, as 10.0.0.7, nor a network, as 10.0.0.0/8")]
pub struct NetworkError(String);

impl Proxies {
    /// These and no others.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Who asks, given who is connected.
    pub(crate) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut source = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        // Each proxy adds whom it sees at the end. What one of ours did not add, anybody
        // may have written.
        while self.0.iter().any(|network| network.contains(source)) {
            match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
                Some(Ok(hop)) => source = hop.to_canonical(),
                Some(Err(_)) | None => break,
            }
        }
        source
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let same = |own: u128, other: u128, bits: u8| {
            let shift = u32::from(bits - self.prefix_bits);
            own.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same(u32::from(own).into(), u32::from(other).into(), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.into(), other.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => longest,
            Some(prefix) => prefix.parse().map_err(|_| error())?,
        };
        if prefix_bits > longest {
            return Err(error());
        }
        Ok(Self { address, prefix_bits })
    }
}

/// The source of a request.
pub(crate) struct From(pub(crate) Source);

impl FromRequestParts<Api> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Without a peer there is no network between us.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        Ok(Self(Source(api.proxies.source(peer, &parts.headers))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(proxies: &[&str], peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = Proxies::new(proxies.iter().map(|network| network.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.source(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_known_proxy_is_believed() {
        assert_eq!(source(&[], "10.0.0.1", &["192.0.2.9"]), "10.0.0.1");
        assert_eq!(source(&["10.0.0.2"], "10.0.0.1", &["192.0.2.9"]), "10.0.0.1");
        assert_eq!(source(&["10.0.0.1"], "10.0.0.1", &["192.0.2.9"]), "192.0.2.9");
        assert_eq!(source(&["10.0.0.1"], "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_itself_is_not_believed() {
        let ours = ["10.0.0.0/8"];
        assert_eq!(source(&ours, "10.0.0.1", &["127.0.0.1, 192.0.2.9"]), "192.0.2.9");
        assert_eq!(source(&ours, "10.0.0.1", &["127.0.0.1", "192.0.2.9, 10.3.0.1"]), "192.0.2.9");
        assert_eq!(source(&ours, "10.0.0.1", &["nonsense"]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_and_bounded() {
        assert_eq!(source(&["0.0.0.0/0"], "8.8.8.8", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(source(&["fd00::/8"], "fd12::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(source(&["10.0.0.1"], "::ffff:10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "host", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
