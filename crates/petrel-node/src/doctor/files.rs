//! Who can read what nobody else should.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::Finding;
use super::Severity::{Problem, Warning};
use crate::NodeConfig;
use crate::tls::{Tls, TlsConfig};
use petrel_types::SystemClock;

pub(super) fn examine(config: &NodeConfig) -> Vec<Finding> {
    let data = &config.data_directory;
    let mut findings = Vec::new();
    if !data.exists() {
        let what = format!("{} does not exist yet", data.display());
        findings.push(Finding::ok(what, "the first start makes it, readable to its owner only"));
    } else {
        findings.extend(private(data, "messages and keys"));
    }
    let files = config.files.directory(data);
    if files.exists() {
        findings.extend(private(&files, "what users have uploaded"));
    }
    let secrets = fs::read_dir(data.join("secrets")).into_iter().flatten().flatten();
    for secret in secrets {
        findings.extend(private(&secret.path(), "whoever reads it can be any user"));
    }
    if let TlsConfig::Files { key, .. } = &config.tls {
        findings.extend(private(key, "whoever reads it can pose as this server"));
        match Tls::new(&config.tls, data, &SystemClock) {
            Ok(_) => findings.push(Finding::ok("the TLS certificate and its key fit together", "")),
            Err(error) => findings.push(Finding::bad(
                Problem,
                error.to_string(),
                "the server would not start",
                "give tls.certificate and tls.key files in PEM form that belong together",
            )),
        }
    }
    findings
}

/// Whether only its owner, who is the one who asks, can get at it.
fn private(path: &Path, why: &str) -> Option<Finding> {
    let metadata = fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode() & 0o777;
    let what = format!("{}: mode {mode:03o}", path.display());
    let user = rustix::process::getuid().as_raw();
    if metadata.uid() != user && user != 0 {
        let fix = format!("chown {user} {}", path.display());
        let what = format!("{what}, owned by user id {}", metadata.uid());
        return Some(Finding::bad(Problem, what, "the server needs it for its own", fix));
    }
    Some(if mode & 0o077 == 0 {
        Finding::ok(what, why)
    } else {
        let wanted = if metadata.is_dir() { "700" } else { "600" };
        let why = format!("others on this machine can get at it: {why}");
        Finding::bad(Warning, what, why, format!("chmod {wanted} {}", path.display()))
    })
}
