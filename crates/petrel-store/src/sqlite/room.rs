//! Whether files can grow: what is behind a write that failed.
//!
//! SQLite tells a disk without room (`ENOSPC`) from other failures, but not a quota that is
//! used up (`EDQUOT`) nor a file that may not be any longer (`EFBIG`: a limit of the process,
//! or of the file system). To callers they are the same: nothing was stored, and everything
//! goes on once there is room. So after a failed write we try for ourselves.

use std::fs::{File, OpenOptions, remove_file};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::{Error, ffi};

use super::directory::DATABASE_FILE;

/// The file that is made to grow.
const PROBE_FILE: &str = "petrel.probe";

/// By how much: more than a file system gives without asking anybody.
const PROBE_BYTES: usize = 256 * 1024;

/// Whether a failed statement failed in writing a file. (A failed sync is something else:
/// it leaves open what is on disk.)
pub(super) fn is_failed_write(error: &Error) -> bool {
    matches!(
        error,
        Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_IOERR_WRITE
    )
}

/// Whether a file in the data directory that is as long as ours can't grow, for want of room.
pub(super) fn is_used_up(directory: &Path) -> bool {
    let length = |name: &str| directory.join(name).metadata().map_or(0, |it| it.len());
    let longest = length(DATABASE_FILE).max(length(&format!("{DATABASE_FILE}-wal")));
    let path = directory.join(PROBE_FILE);
    let grown = grow(&path, longest);
    // There may have been no room to make it.
    let _ = remove_file(&path);
    grown.is_err_and(|error| is_want_of_room(&error))
}

fn grow(path: &Path, from: u64) -> io::Result<()> {
    let file: File = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    // Not all of it: what is before stays a hole.
    file.write_all_at(&vec![0x5a; PROBE_BYTES], from)?;
    file.sync_all()
}

fn is_want_of_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_room_has_three_names() {
        const ENOSPC: i32 = 28;
        const EFBIG: i32 = 27;
        const EIO: i32 = 5;
        let edquot = if cfg!(target_os = "macos") { 69 } else { 122 };
        for (code, expected) in [(ENOSPC, true), (EFBIG, true), (edquot, true), (EIO, false)] {
            assert_eq!(is_want_of_room(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }

    #[test]
    fn where_there_is_room_nothing_is_used_up_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(DATABASE_FILE), [0; 10_000]).unwrap();
        assert!(!is_used_up(directory.path()));
        assert!(!directory.path().join(PROBE_FILE).exists());
        assert!(!is_used_up(&directory.path().join("no such directory")));
    }
}
