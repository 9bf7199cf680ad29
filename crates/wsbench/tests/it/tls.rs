//! `wss://`: against a server of another WebSocket implementation over rustls, with
//! certificates made for the test.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::{Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;
use wsbench::report::Report;
use wsbench::sink::Sink;
use wsbench::verdict::Outcome;

use crate::support::{WSBENCH, each, wsbench};

/// An authority, and the folder with its certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in files.
struct Identity {
    cert: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key)?.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), folder })
    }

    fn file(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// Vouches for a name.
    fn vouch(&self, name: &str) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let cert = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        let path = |kind: &str| self.folder.path().join(format!("{name}.{kind}"));
        fs::write(path("pem"), cert.pem())?;
        fs::write(path("key"), key.serialize_pem())?;
        let shown = |path: &Path| path.display().to_string();
        Ok(Identity { cert: shown(&path("pem")), key: shown(&path("key")) })
    }

    fn roots(&self) -> Result<RootCertStore> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file())?)?;
        Ok(roots)
    }
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Serves every connection over TLS until the test's process ends. With `clients`, only
/// those for whom that authority vouches.
fn serve(
    identity: &Identity,
    clients: Option<&Authority>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    serve_one: impl Fn(Tls) -> Result<()> + Send + Sync + 'static,
) -> Result<SocketAddr> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions)?;
    let builder = match clients {
        Some(authority) => {
            let roots = Arc::new(authority.roots()?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let certs = vec![CertificateDer::from_pem_file(&identity.cert)?];
    let config = builder.with_single_cert(certs, PrivateKeyDer::from_pem_file(&identity.key)?)?;
    let (config, serve_one) = (Arc::new(config), Arc::new(serve_one));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (config, serve_one) = (config.clone(), serve_one.clone());
            // A connection that fails is what some of the tests want.
            thread::spawn(move || -> Result<()> {
                socket.set_nodelay(true)?;
                serve_one(StreamOwned::new(ServerConnection::new(config)?, socket))
            });
        }
    });
    Ok(address)
}

fn echo(tls: Tls) -> Result<()> {
    let mut socket = tungstenite::accept(tls).map_err(|error| anyhow::anyhow!("{error}"))?;
    loop {
        let message = socket.read()?;
        if message.is_text() {
            socket.send(message)?;
        }
    }
}

/// Ten connections that talk to themselves over TLS.
fn run(address: SocketAddr, more: &[&str]) -> Result<Report> {
    let target = format!("wss://localhost:{}/", address.port());
    let line = "messaging --adapter echo --conns 10 --rate 200 --ramp 100ms --duration 1s \
                --warmup 100ms --drain 3s --payload-size 2000 --retry 0 --no-ceiling --late-after 1m \
                --output json --target";
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.push(&target);
    arguments.extend(more);
    let output = wsbench(&arguments)?;
    ensure!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn assert_all_came(report: &Report) {
    let tally = &report.deliveries;
    assert_eq!(report.counters.connects_ok, 10);
    assert!(tally.sent > 100 && tally.delivered == tally.sent, "{tally:?}");
    assert_eq!(report.verdict.outcome, Outcome::Ok);
}

/// Nothing connected; for the class of error that is named, and with the option that
/// helps.
fn assert_refused(report: &Report, class: &str, option: &str) {
    assert_eq!(report.verdict.outcome, Outcome::SetUp);
    let error = report.errors.iter().find(|error| error.class == class);
    let error = error.unwrap_or_else(|| panic!("{class} is not among {:?}", report.errors));
    assert!(error.cure.as_ref().is_some_and(|cure| cure.contains(option)), "{error:?}");
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted() -> Result<()> {
    let authority = Authority::new("one")?;
    let server = authority.vouch("localhost")?;
    each([&rustls::version::TLS13, &rustls::version::TLS12], |version| {
        let address = serve(&server, None, &[version], echo)?;
        assert_all_came(&run(address, &["--cacert", &authority.file()])?);
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_with_what_to_do() -> Result<()> {
    let (authority, other) = (Authority::new("one")?, Authority::new("other")?);
    let address = serve(&authority.vouch("localhost")?, None, rustls::ALL_VERSIONS, echo)?;
    // One of another name, and one of the same name with another key.
    for stranger in [other, Authority::new("one")?] {
        let report = run(address, &["--cacert", &stranger.file()])?;
        assert_refused(&report, "tls_unknown_authority", "--cacert");
    }
    assert_all_came(&run(address, &["--insecure"])?);
    Ok(())
}

#[test]
fn a_certificate_for_another_name_is_refused() -> Result<()> {
    let authority = Authority::new("one")?;
    let address = serve(&authority.vouch("elsewhere.example")?, None, rustls::ALL_VERSIONS, echo)?;
    let report = run(address, &["--cacert", &authority.file()])?;
    assert_refused(&report, "tls_wrong_name", "--target");
    Ok(())
}

#[test]
fn a_server_that_wants_a_certificate_gets_it() -> Result<()> {
    let (authority, other) = (Authority::new("one")?, Authority::new("other")?);
    let server = authority.vouch("localhost")?;
    let (friend, stranger) = (authority.vouch("friend")?, other.vouch("stranger")?);
    let trust = ["--cacert", &authority.file()];
    let as_client = |identity: &Identity| {
        ["--cert".into(), identity.cert.clone(), "--key".into(), identity.key.clone()]
    };
    each([&rustls::version::TLS13, &rustls::version::TLS12], |version| {
        let address = serve(&server, Some(&authority), &[version], echo)?;
        let with = |identity: &Identity| -> Result<Report> {
            let own: [String; 4] = as_client(identity);
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            run(address, &[&trust[..], &own].concat())
        };
        assert_all_came(&with(&friend)?);
        assert_refused(&with(&stranger)?, "tls_client_certificate", "--cert");
        assert_refused(&run(address, &trust)?, "tls_client_certificate", "--cert");
        Ok(())
    })?;
    Ok(())
}

#[test]
fn metrics_are_sent_over_tls_to_whom_the_system_trusts_and_to_nobody_else() -> Result<()> {
    let authority = Authority::new("one")?;
    let (requests, received) = mpsc::channel();
    let receiver = move |mut tls: Tls| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            tls.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        requests.send(String::from_utf8(head)?)?;
        write!(tls, "HTTP/1.1 204 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        Ok(tls.flush()?)
    };
    let server = authority.vouch("localhost")?;
    let address = serve(&server, None, rustls::ALL_VERSIONS, receiver)?;
    let sink = Sink::start()?;
    let line = format!(
        "messaging --target ws://{}/ --adapter echo --conns 2 --rate 20 --ramp 100ms --duration 300ms \
         --warmup 0s --no-ceiling --late-after 1m \
         --prometheus-remote-write https://localhost:{}/api/v1/write",
        sink.address,
        address.port()
    );
    let run = |trusted: &str| -> Result<String> {
        let mut command = Command::new(WSBENCH);
        // The file of the system's authorities.
        command
            .args(line.split_whitespace())
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR");
        let output = command.output()?;
        ensure!(output.status.code() == Some(0), "{output:?}");
        Ok(String::from_utf8(output.stderr)?)
    };
    let says = run(&authority.file())?;
    ensure!(!says.contains("could not be sent"), "{says}");
    let heads: Vec<String> = received.try_iter().collect();
    ensure!(heads.iter().any(|head| head.starts_with("POST /api/v1/write ")), "{heads:?}");
    // The same name from another authority.
    let says = run(&Authority::new("one")?.file())?;
    ensure!(says.contains("could not be sent"), "{says}");
    ensure!(received.try_iter().next().is_none());
    Ok(())
}

#[test]
fn files_that_are_no_certificates_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("ca.pem").display().to_string();
    fs::write(&file, "nothing of the kind")?;
    for (option, wanted) in [(&file, &*file), (&format!("{file}.not"), "ca.pem.not")] {
        let output = wsbench(&["--target", "wss://localhost:1/", "--cacert", option])?;
        assert_eq!(output.status.code(), Some(3));
        let stderr = String::from_utf8(output.stderr)?;
        assert!(stderr.contains(wanted), "{stderr}");
    }
    Ok(())
}
