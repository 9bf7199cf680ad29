//! What a node takes of the machine it runs on.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: files of the store, timers, pipes, listeners.
pub(crate) const DESCRIPTORS_RESERVED: u64 = 128;

/// Raises the soft limit of open files to the hard one, and returns what it is now. The
/// low soft limit exists for programs that use select(2), which this one does not
/// (<https://0pointer.net/blog/file-descriptor-limits.html>).
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Without a hard limit some systems still refuse "unlimited"; a million is enough.
    let wanted = limit.maximum.unwrap_or(1 << 20);
    if limit.current.is_some_and(|current| current < wanted) {
        // If it can't be raised, it is as it was, and that is what is returned.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(wanted)
}

/// Lets other threads have the processor first; on Linux this is said of the calling
/// thread alone (`nice(2)`).
pub(crate) fn prefer_others() {
    #[cfg(target_os = "linux")]
    {
        // Where it can't be said, it is as it was.
        let _ = rustix::process::nice(10);
    }
}
