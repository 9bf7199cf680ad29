//! Looking at the bytes of a file that is all there: what it is, and its digest.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use petrel_store::Digest;
use sha2::{Digest as _, Sha256};

use crate::content_type::{self, SNIFFED_BYTES};

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;

/// What the bytes of a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Examined {
    pub(crate) size: u64,
    pub(crate) sha256: Digest,
    pub(crate) content_type: String,
}

/// Reads a file from beginning to end. Blocks.
pub(crate) fn examine(path: &Path, declared: &str) -> io::Result<Examined> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let (mut sha256, mut size, mut beginning) = (Sha256::new(), 0, Vec::new());
    loop {
        let length = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha256.update(&buffer[..length]);
        let missing = SNIFFED_BYTES.saturating_sub(beginning.len()).min(length);
        beginning.extend_from_slice(&buffer[..missing]);
        size += length as u64;
    }
    let content_type = content_type::sniff(&beginning, declared);
    Ok(Examined { size, sha256: sha256.finalize().into(), content_type })
}
