//! Where to connect: a `ws://` or `wss://` address.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// With TLS.
    pub tls: bool,
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path and the query, beginning with a slash.
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not an address; write ws://HOST:PORT/PATH or wss://…");
        let (tls, rest) = match text.split_once("://") {
            Some(("ws", rest)) => (false, rest),
            Some(("wss", rest)) => (true, rest),
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let default = if tls { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None => default,
        };
        let bad = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || port == 0 || text.contains(bad) || host.contains('@') {
            return Err(wrong());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let path = path.split('#').next().unwrap_or_default().to_owned();
        Ok(Self { tls, host: host.to_owned(), port, path })
    }
}

impl Target {
    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// The addresses behind the name.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut addresses: Vec<_> =
            found.map_err(|error| format!("can't find {}: {error}", self.host))?.collect();
        // Servers on localhost mostly listen on IPv4 alone.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        addresses.dedup();
        if addresses.is_empty() {
            return Err(format!("{} has no address", self.host));
        }
        Ok(addresses)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, host, port, path, written) in [
            ("ws://localhost:8084/ws", "localhost", 8084, "/ws", "ws://localhost:8084/ws"),
            ("wss://a.example", "a.example", 443, "/", "wss://a.example/"),
            ("ws://[::1]:9/x?y=1", "::1", 9, "/x?y=1", "ws://[::1]:9/x?y=1"),
            ("ws://h?y=1", "h", 80, "/?y=1", "ws://h/?y=1"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path)
            );
            assert_eq!(target.to_string(), written);
        }
        for wrong in ["http://a", "ws://", "ws://a:0", "ws://a:99999", "localhost:80", "ws://a b/"]
        {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
