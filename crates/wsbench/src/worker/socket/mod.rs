//! A connection's bytes: TCP, with TLS or without.

mod tls;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::event::Source;
use mio::net::TcpStream;
use rustls::ClientConfig;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::plan::Plan;
use tls::Tls;

/// A connection's bytes.
#[derive(Debug)]
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// How to dial.
#[derive(Debug)]
pub(super) struct Dialer {
    tls: Option<Arc<ClientConfig>>,
    receive_buffer: Option<usize>,
}

/// How TLS is spoken to a plan's targets; none if none of them wants it.
pub(crate) fn tls_config_for(plan: &Plan) -> Result<Option<rustls::ClientConfig>, String> {
    plan.targets.iter().any(|target| target.tls).then(|| tls::configure(plan)).transpose()
}

impl Dialer {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let tls = plan.targets.iter().any(|target| target.tls).then(|| tls::configure(plan));
        Ok(Self {
            tls: tls.transpose()?.map(Arc::new),
            receive_buffer: plan.receive_buffer.map(|bytes| bytes as usize),
        })
    }

    /// Begins to connect.
    pub(super) fn dial(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
        tls_host: Option<&str>,
    ) -> io::Result<Socket> {
        let socket =
            RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(source) = source {
            bind_late(&socket)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&address.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        let tcp = TcpStream::from_std(socket.into());
        match (&self.tls, tls_host) {
            (Some(config), Some(host)) => {
                Ok(Socket::Tls(Box::new(Tls::new(tcp, config.clone(), host)?)))
            }
            _ => Ok(Socket::Plain(tcp)),
        }
    }
}

/// Lets the kernel choose the port when the destination is known: without this, one
/// source address has its ports once, and not once for each destination.
#[cfg(target_os = "linux")]
fn bind_late(socket: &RawSocket) -> io::Result<()> {
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)
        .map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn bind_late(_: &RawSocket) -> io::Result<()> {
    Ok(())
}

impl Socket {
    pub(super) fn source(&mut self) -> &mut impl Source {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &mut tls.tcp,
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.tcp,
        }
    }

    /// Whether a connection that was begun stands: an error if it has failed, false if
    /// that is still open.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.tcp().take_error()? {
            return Err(error);
        }
        match self.tcp().peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there. After fewer bytes than there was room for, nothing is left.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    /// Writes as much as goes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// Writes what TLS itself has to say, and what it has taken and not yet passed on.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.send_pending(),
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn shut_down_write(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.tcp().shutdown(std::net::Shutdown::Write);
    }

    /// Whether a read that got fewer bytes than it had room for has got all there is.
    pub(super) fn short_read_is_all(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}
