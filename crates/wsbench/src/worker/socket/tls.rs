//! TLS on a connection, and whom it trusts.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::plan::Plan;

/// A TLS connection.
#[derive(Debug)]
pub(in crate::worker) struct Tls {
    pub(super) tcp: TcpStream,
    session: ClientConnection,
}

impl Tls {
    /// TLS over a connection that is being opened.
    pub(super) fn new(tcp: TcpStream, config: Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self { tcp, session })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
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

    pub(super) fn send_pending(&mut self) -> io::Result<()> {
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

/// What a plan says about certificates.
pub(super) fn configure(plan: &Plan) -> Result<ClientConfig, String> {
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
