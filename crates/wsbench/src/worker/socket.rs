//! A connection's bytes: TCP, with TLS or without.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use mio::event::Source;
use mio::net::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::plan::Plan;

/// A connection's bytes.
#[derive(Debug)]
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// A TLS connection.
#[derive(Debug)]
pub(super) struct Tls {
    tcp: TcpStream,
    session: ClientConnection,
}

/// How to dial.
#[derive(Debug)]
pub(super) struct Dialer {
    tls: Option<Arc<ClientConfig>>,
    receive_buffer: Option<usize>,
}

impl Dialer {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let tls = plan.targets.iter().any(|target| target.tls).then(|| tls_config(plan));
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
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let session =
                    ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                Ok(Socket::Tls(Box::new(Tls { tcp, session })))
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

impl Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            // What the handshake has to say goes out on the way.
            self.send_pending()?;
            if self.session.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            self.session.process_new_packets().map_err(io::Error::other)?;
            self.send_pending()?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send_pending()?;
        if self.session.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.session.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = self.session.writer().write(bytes)?;
        self.send_pending()?;
        Ok(written)
    }

    fn send_pending(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn tls_config(plan: &Plan) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    let builder = if plan.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(anything::TrustAnything(provider)))
    } else {
        builder.with_root_certificates(roots(plan.cacert.as_deref())?)
    };
    let config = match (&plan.cert, &plan.key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                format!("can't read the private key {}: {error}", key.display())
            })?;
            builder.with_client_auth_cert(certificates(cert)?, key)
        }
        _ => return Ok(builder.with_no_client_auth()),
    };
    config.map_err(|error| format!("the client's certificate and key: {error}"))
}

fn roots(cacert: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = match cacert {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(match cacert {
            Some(path) => format!(
                "{} has no certificate in PEM (-----BEGIN CERTIFICATE-----); name the authority's \
                 with --cacert",
                path.display()
            ),
            None => {
                "this machine trusts no authorities; give --cacert FILE or --insecure".to_owned()
            }
        });
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| {
        format!("can't read certificates from {}: {error}", path.display())
    };
    let file = File::open(path).map_err(|error| wrong(&error))?;
    CertificateDer::pem_reader_iter(BufReader::new(file))
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))
}

/// For `--insecure`.
mod anything {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    /// Takes any certificate, and checks only that the peer has its key.
    #[derive(Debug)]
    pub(super) struct TrustAnything(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for TrustAnything {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
