//! Objects in a directory of files that the store knows nothing of.
//!
//! A server never leaves any. A backup may hold some: it copies the store first, and what
//! users upload after that comes along with the objects.

use std::fs;
use std::io;
use std::path::Path;

/// Deletes every object in the directory of files whose name is not known. Returns how many
/// there were. For a directory that no server is at work in.
pub fn remove_strays(files: &Path, is_known: impl Fn(&str) -> bool) -> io::Result<u64> {
    let mut removed = 0;
    for directory in entries(&files.join("objects"))? {
        for object in entries(&directory)? {
            let name = object.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            let name = name.strip_suffix(".thumbnail").unwrap_or(&name);
            if !is_known(name) {
                fs::remove_file(&object)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// What is in a directory; nothing if it is not there.
fn entries(directory: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.path())).collect()
}
