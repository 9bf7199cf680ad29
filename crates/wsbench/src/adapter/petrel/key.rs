//! The key of load-test users.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use petrel_protocol::token::Secret;

/// The key that signs the tokens of load-test users: a file, or that of a data directory.
pub fn load_key(key: Option<&Path>, data_dir: &Path) -> Result<Secret, String> {
    let path: PathBuf = match key {
        Some(path) => path.to_owned(),
        None => data_dir.join("secrets").join("bench-issuer.key"),
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "can't read the key of the load-test users, {}: {error}\n  Start `petrel serve \
             --bench-issuer`, and name its data directory with --data-dir or the key file with \
             --token-key. For a server that needs no login, use --adapter echo.",
            path.display()
        )
    })?;
    let bytes = STANDARD.decode(text.trim());
    bytes.ok().and_then(|bytes| Secret::new(&bytes).ok()).ok_or_else(|| {
        format!("{} is not a key: it should be base64 of at least 32 bytes", path.display())
    })
}
