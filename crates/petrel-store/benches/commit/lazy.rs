//! The store as it is.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use petrel_store::sqlite::SqliteStore;
use petrel_store::{Batch, Store, StoreError};
use petrel_types::{LogPosition, OwnerEpoch, Partition, Seq};
use tokio::runtime::{Builder, Runtime};

use crate::measure::{Meter, Report};
use crate::workload::{Generator, Workload};

const PARTITION: Partition = Partition::new(1);
const PULLS: usize = 2_000;
const COLD_PAGES: usize = 200;

/// A store with an owner.
pub(crate) struct Owned {
    runtime: Runtime,
    store: SqliteStore,
    owner_epoch: OwnerEpoch,
}

impl Owned {
    pub(crate) fn open(place: &Path) -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        let store = SqliteStore::open(place).unwrap();
        let owner_epoch = runtime.block_on(store.claim(PARTITION)).unwrap().owner_epoch;
        Self { runtime, store, owner_epoch }
    }

    pub(crate) fn commit(&self, batch: Batch) {
        self.try_commit(batch).unwrap();
    }

    pub(crate) fn try_commit(&self, batch: Batch) -> Result<(), StoreError> {
        let position = LogPosition::new(0);
        let commit = self.store.commit(PARTITION, batch, position, self.owner_epoch);
        self.runtime.block_on(commit).map(|_| ())
    }

    /// Pulls the end of random timelines.
    pub(crate) fn pull(&self, generator: &mut Generator) -> Vec<Duration> {
        let mut pulls: Vec<_> = (0..PULLS)
            .map(|_| {
                let (conversation, head) = generator.random_conversation();
                let after = Seq::new(head.saturating_sub(100));
                let began = Instant::now();
                let pull = self.store.events_after(conversation, after, 100);
                let page = self.runtime.block_on(pull).unwrap();
                let elapsed = began.elapsed();
                assert_eq!(page.events.len() as u64, head.min(100));
                assert_eq!(page.head.seq, Seq::new(head));
                elapsed
            })
            .collect();
        pulls.sort_unstable();
        pulls
    }

    /// Reads the last page of random timelines, after the system was asked to forget the
    /// files. What several pages share is in memory from the second on.
    pub(crate) fn cold_pages(&self, place: &Path, generator: &mut Generator) -> Vec<Duration> {
        for name in ["petrel.db", "petrel.db-wal"] {
            forget(&place.join(name));
        }
        let mut pages: Vec<_> = (0..COLD_PAGES)
            .map(|_| {
                let (conversation, head) = generator.random_conversation();
                let began = Instant::now();
                let page = self.store.events_before(conversation, Seq::new(u64::MAX), 50);
                let page = self.runtime.block_on(page).unwrap();
                let elapsed = began.elapsed();
                assert_eq!(page.events.len() as u64, head.min(50));
                elapsed
            })
            .collect();
        pages.sort_unstable();
        pages
    }

    /// Opens the store again as if it had been killed, but for the end of the log.
    pub(crate) fn reopen(self, place: &Path) -> (Self, Duration) {
        drop(self);
        let began = Instant::now();
        let store = SqliteStore::open(place).unwrap();
        let opened = began.elapsed();
        drop(store);
        (Self::open(place), opened)
    }
}

/// Asks the system to drop a file from its memory, as `dd` can without special rights.
fn forget(file: &Path) {
    let told = Command::new("dd")
        .arg(format!("if={}", file.display()))
        .args(["iflag=nocache", "count=0", "status=none"])
        .status();
    assert!(told.unwrap().success());
}

pub(crate) fn run(place: &Path, workload: &Workload) -> Report {
    let mut generator = workload.generator();
    let owned = Owned::open(place);
    workload.beginnings().into_iter().for_each(|batch| owned.commit(batch));
    let mut meter = Meter::start();
    for _ in 0..workload.messages.div_ceil(workload.batch as u64) {
        let batch = meter.generate(|| generator.batch());
        meter.commit(|| owned.commit(batch));
    }
    let messages = workload.messages.next_multiple_of(workload.batch as u64);
    let mut report = meter.finish(workload.name("Petrel"), messages, generator.logical_bytes);
    let (owned, opened) = owned.reopen(place);
    report.opened = Some(opened);
    report.cold_pages = owned.cold_pages(place, &mut generator);
    report.pulls = owned.pull(&mut generator);
    report
}
