//! What is wrong with the machine below a server under test: its disk is full or stalls, or
//! its clock jumps.
//!
//! The server is the real binary, unchanged. It loads a library in front of the C library
//! (`faults.c`), in which the calls that a fault concerns fail or wait when this orders it, and
//! go on to the kernel otherwise. So it needs no privileges, no file system of its own and no
//! clock that others share; on a kernel's own full file system the tests look as well. Linux
//! only, and only for a binary that is linked to its C library dynamically.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::in_time;
use crate::server::Launcher;

/// What is wrong with the machine of the servers that were given it. Well in the beginning.
#[derive(Debug)]
pub struct Faults {
    directory: TempDir,
    orders: File,
}

/// A field of `struct orders` in `faults.c`, in its order.
#[derive(Clone, Copy, Debug)]
enum Field {
    ClockOffsetMs,
    Full,
    Stalled,
    ReadsStalled,
    Waiting,
    Loaded,
}

/// Of `full`: no write finds room.
const ALWAYS: i64 = -1;

impl Faults {
    /// Nothing is wrong yet.
    pub fn new() -> Result<Self> {
        let directory = TempDir::with_prefix("petrel-faults-")?;
        let path = directory.path().join("orders");
        std::fs::write(&path, [0; size_of::<i64>() * (Field::Loaded as usize + 1)])?;
        let orders = File::options().read(true).write(true).open(path)?;
        Ok(Self { directory, orders })
    }

    /// Puts the servers that this starts on such a machine.
    pub fn below(&self, launcher: Launcher) -> Result<Launcher> {
        let library = PathBuf::from(env!("FAULTS_LIBRARY"));
        ensure!(library.exists(), "there are no faults for this operating system: see faults.rs");
        let library = library.to_str().context("a path that is UTF-8")?.to_owned();
        let orders = self.directory.path().join("orders");
        let orders = orders.to_str().context("a path that is UTF-8")?;
        Ok(launcher.variable("LD_PRELOAD", &library).variable("FAULTS", orders))
    }

    /// Whether the disk is full: no file can grow. What a file has already can be written over.
    pub fn set_full(&self, is_full: bool) -> Result<()> {
        self.order(Field::Full, if is_full { ALWAYS } else { 0 })
    }

    /// There is no room for the next file that wants to grow, and then there is again.
    pub fn set_full_once(&self) -> Result<()> {
        self.order(Field::Full, 1)
    }

    /// Whether syncs wait for the disk.
    pub fn set_stalled(&self, is_stalled: bool) -> Result<()> {
        self.order(Field::Stalled, i64::from(is_stalled))
    }

    /// Whether reads wait for the disk; what is in memory is read as ever.
    pub fn set_reads_stalled(&self, is_stalled: bool) -> Result<()> {
        self.order(Field::ReadsStalled, i64::from(is_stalled))
    }

    /// Waits until something waits for the disk. Other processes can't tell of it, so this
    /// looks again and again.
    pub async fn await_stalled(&self) -> Result<()> {
        let waiting = async {
            while self.read(Field::Waiting)? == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        };
        in_time("something that waits for the disk", waiting).await?
    }

    /// How far the clock of the day is ahead of the machine's. What measures spans of time is
    /// left alone, as it is when an operator sets the clock.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) -> Result<()> {
        self.order(Field::ClockOffsetMs, offset_ms)
    }

    fn order(&self, field: Field, value: i64) -> Result<()> {
        ensure!(
            self.read(Field::Loaded)? == 1,
            "no server obeys: it did not load the faults; is it linked statically?"
        );
        Ok(self.orders.write_all_at(&value.to_ne_bytes(), field.offset())?)
    }

    fn read(&self, field: Field) -> Result<i64> {
        let mut bytes = [0; size_of::<i64>()];
        self.orders.read_exact_at(&mut bytes, field.offset())?;
        Ok(i64::from_ne_bytes(bytes))
    }
}

impl Field {
    fn offset(self) -> u64 {
        self as u64 * size_of::<i64>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_nobody_obeys_are_an_error() {
        let error = Faults::new().unwrap().set_full(true).unwrap_err();
        assert!(error.to_string().contains("no server obeys"), "{error}");
    }
}
