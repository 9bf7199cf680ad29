//! A disk that is full, or that stalls, below a store in this process.
//!
//! Needs no privileges and no file system of its own: the faults are in the file system that
//! SQLite is given (see [`crate::power`]), so everything above it is the real thing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;

use crate::{PATIENCE, power};

/// The disk below a directory. It is well again when this is dropped.
#[derive(Debug)]
pub struct Disk(Arc<Fault>);

/// What is wrong with a disk.
#[derive(Debug)]
pub(crate) struct Fault {
    directory: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_full: bool,
    /// There is no room once, and then there is again.
    is_full_once: bool,
    is_stalled: bool,
    /// How many syncs wait for the disk.
    waiting: u32,
}

impl Disk {
    /// Takes charge of the databases that are opened in `directory` from now on.
    pub fn of(directory: &Path) -> io::Result<Self> {
        power::register()?;
        let fault = Arc::new(Fault {
            directory: directory.canonicalize()?,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        faults().push(Arc::clone(&fault));
        Ok(Self(fault))
    }

    /// Whether there is no room left: no file can grow.
    pub fn set_full(&self, is_full: bool) {
        self.0.state().is_full = is_full;
    }

    /// There is no room for the next file that wants to grow, and then there is again.
    pub fn set_full_once(&self) {
        self.0.state().is_full_once = true;
    }

    /// Whether syncs wait.
    pub fn set_stalled(&self, is_stalled: bool) {
        self.0.state().is_stalled = is_stalled;
        self.0.changed.notify_all();
    }

    /// Waits until something waits for the disk. Blocks the thread.
    pub fn await_stalled(&self) -> anyhow::Result<()> {
        let state = self.0.state();
        let waits_not = |state: &mut State| state.waiting == 0;
        let waited = self.0.changed.wait_timeout_while(state, PATIENCE, waits_not);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ensure!(state.waiting > 0, "nothing waited for the disk in {PATIENCE:?}");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        *self.0.state() = State::default();
        self.0.changed.notify_all();
        faults().retain(|fault| !Arc::ptr_eq(fault, &self.0));
    }
}

impl Fault {
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state();
        state.is_full || state.is_full_once
    }

    /// A file wanted to grow and could not.
    pub(crate) fn refused(&self) {
        self.state().is_full_once = false;
    }

    pub(crate) fn wait_while_stalled(&self) {
        let mut state = self.state();
        if !state.is_stalled {
            return;
        }
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_stalled {
            // Not for ever, so that a test that forgets it ends.
            let waited = self.changed.wait_timeout(state, Duration::from_secs(60));
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
                break;
            }
        }
        state.waiting = state.waiting.saturating_sub(1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with the disk below a file.
pub(crate) fn fault_of(path: &Path) -> Option<Arc<Fault>> {
    let below = |fault: &&Arc<Fault>| path.starts_with(&fault.directory);
    faults().iter().find(below).cloned()
}

fn faults() -> MutexGuard<'static, Vec<Arc<Fault>>> {
    static FAULTS: Mutex<Vec<Arc<Fault>>> = Mutex::new(Vec::new());
    FAULTS.lock().unwrap_or_else(PoisonError::into_inner)
}
