//! A certificate of the node's own making, for a LAN.
//!
//! It names the machine and its addresses, so that a device which was told to trust it
//! finds the name it connects to. It is kept, so that it stays the one that was trusted,
//! and made anew only when it is about to expire.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use petrel_types::TimestampMs;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

use super::TlsError;
use crate::secrets;

/// How long a certificate is valid. The longest that Apple's systems accept from anybody
/// (<https://support.apple.com/en-us/103769>).
const VALID: Duration = Duration::from_secs(825 * 24 * 60 * 60);

/// A certificate that is valid for less than this is made anew at the next start.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What stands before the time of expiry, in the text above the PEM blocks.
const EXPIRES: &str = "Expires (Unix time): ";

/// What stands before the names.
const NAMES: &str = "Names: ";

/// Where the certificate and its key are, after making them if need be.
pub(super) fn load_or_create(data_directory: &Path, now: TimestampMs) -> Result<PathBuf, TlsError> {
    let path = data_directory.join("secrets").join("self-signed.pem");
    let names = names();
    match fs::read_to_string(&path) {
        Ok(text)
            if expires(&text)
                .is_some_and(|expires| expires > now.get() / 1000 + RENEW_BEFORE.as_secs()) =>
        {
            tell_of_new_names(&path, &text, &names);
            return Ok(path);
        }
        Ok(_) => tracing::warn!(
            path = %path.display(),
            "the self-signed certificate expires soon and is made anew; devices have to trust it again"
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(TlsError::File { path, source }),
    }
    let text = create(&names, now).map_err(|error| TlsError::Make(error.to_string()))?;
    secrets::write(&path, &text).map_err(|source| TlsError::File { path: path.clone(), source })?;
    Ok(path)
}

fn create(names: &[String], now: TimestampMs) -> Result<String, rcgen::Error> {
    let begin = now.get() / 1000;
    let expires = begin + VALID.as_secs();
    let mut parameters = CertificateParams::new(names)?;
    let epoch = date_time_ymd(1970, 1, 1);
    // An hour back, for devices whose clock is behind.
    parameters.not_before = epoch + Duration::from_secs(begin.saturating_sub(60 * 60));
    parameters.not_after = epoch + Duration::from_secs(expires);
    parameters.distinguished_name.push(DnType::CommonName, "Petrel, self-signed");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(format!(
        "Made by petrel serve --tls self-signed. The key below is secret.\n{EXPIRES}{expires}\n\
         {NAMES}{}\n{}{}",
        names.join(" "),
        certificate.pem(),
        key.serialize_pem()
    ))
}

fn expires(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(EXPIRES))?.trim().parse().ok()
}

fn tell_of_new_names(path: &Path, text: &str, names: &[String]) {
    let known = text.lines().find_map(|line| line.strip_prefix(NAMES)).unwrap_or_default();
    let new: Vec<_> = names.iter().filter(|name| !known.split(' ').any(|it| it == *name)).collect();
    if !new.is_empty() {
        tracing::warn!(
            ?new,
            path = %path.display(),
            "the self-signed certificate does not name these addresses of this machine; delete it to \
             have one made that does"
        );
    }
}

/// The names by which devices of the LAN may reach this machine.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let is_name = |name: &String| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    };
    if let Some(host) = host.filter(is_name) {
        names.push(host.clone());
        if !host.contains('.') {
            // By which Bonjour and Avahi know it.
            names.push(format!("{host}.local"));
        }
    }
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else { continue };
        if let Some(v4) = address.as_sockaddr_in() {
            names.push(v4.ip().to_string());
        } else if let Some(v6) = address.as_sockaddr_in6()
            // Addresses of a link alone can't be written in a URL without their zone.
            && !v6.ip().is_unicast_link_local()
        {
            names.push(v6.ip().to_string());
        }
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_kept_private_and_the_same_until_it_is_about_to_expire() {
        let directory = tempfile::tempdir().unwrap();
        let now = TimestampMs::new(1_800_000_000_000);
        let path = load_or_create(directory.path(), now).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(first.contains(" 127.0.0.1") || first.contains("Names: 127.0.0.1"), "{first}");

        let later = |days: u64| TimestampMs::new(now.get() + days * 24 * 60 * 60 * 1000);
        load_or_create(directory.path(), later(700)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        load_or_create(directory.path(), later(800)).unwrap();
        assert_ne!(fs::read_to_string(&path).unwrap(), first);
    }
}
