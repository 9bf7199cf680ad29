//! The proof that a power cut loses nothing that was acked.
//!
//! A seeded life of a server is written down by a recording file system. Then the power
//! is cut at many places of that record: each time a new directory gets what a disk may
//! hold after it, a server starts there, and everything that was said before the cut must
//! still be true. The server goes on, senders repeat what has no ack, and in some runs the
//! power is cut once more, during what comes after the first cut.
//!
//! `PETREL_POWER_CUTS` and `PETREL_POWER_SEED` change how much is run; `make crash-test
//! MODE=power` sets them. The life is the same for the same seed, but the order in which
//! threads of the store write may not be, so a cut is found again only nearly.

#![expect(clippy::unwrap_used, reason = "a failed call is a failed test")]

mod check;
mod groups;
mod history;
mod messages;
mod own;
mod world;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use history::History;
use petrel_store::sqlite;
use petrel_testkit::power::{Cut, Entry, Fate, Journal, Recording};
use rusqlite::Connection;
use world::{Acks, World};

/// How much of the past a failure prints.
const ENTRIES_PRINTED: usize = 16;
/// Cuts of one life, if so many are wanted.
const CUTS_PER_LIFE: u64 = 50;

#[derive(Debug, Default)]
struct Tally {
    cuts: BTreeMap<String, usize>,
    second_cuts: usize,
    unsynced: usize,
    lost: usize,
    acked: usize,
    checkpoints: usize,
    /// Of each kind that was asked for beside plain messages, how many were acked.
    kinds: BTreeMap<&'static str, usize>,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_power_cut_loses_nothing_that_was_acked() {
    let cuts = setting("PETREL_POWER_CUTS", 12);
    let first_seed = setting("PETREL_POWER_SEED", 1);
    let mut tally = Tally::default();
    let lives = cuts.div_ceil(CUTS_PER_LIFE);
    for life in 0..lives {
        let cuts = cuts / lives + u64::from(life < cuts % lives);
        block_on(prove(first_seed + life, cuts, Acks::AfterCommit, &mut tally)).unwrap();
    }
    println!("{cuts} cuts from seed {first_seed}: {tally:?}");
    assert!(tally.checkpoints > 0, "no life was long enough for a checkpoint: {tally:?}");
    assert!(cuts < 10 || tally.lost > 0, "no cut has lost anything: {tally:?}");
    for kind in history::KINDS {
        assert!(tally.kinds.contains_key(kind), "no life had anything of {kind}: {tally:?}");
    }
}

#[test]
fn an_ack_before_the_commit_is_noticed() {
    let mut tally = Tally::default();
    let error = block_on(prove(1, 50, Acks::BeforeCommit, &mut tally)).unwrap_err();
    let story = format!("{error:#}");
    assert!(story.contains("acked message lost"), "{story}");
}

#[test]
fn a_database_that_does_not_sync_loses_what_it_has_committed() {
    let rows_left = |synchronous: &str| {
        let directory = tempfile::tempdir().unwrap();
        let recording = Recording::start(directory.path()).unwrap();
        let connection = Connection::open(directory.path().join("some.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE numbers (number)").unwrap();
        connection.pragma_update(None, "synchronous", synchronous).unwrap();
        connection.execute_batch("INSERT INTO numbers VALUES (1)").unwrap();
        let journal = recording.journal();
        let cut = Cut { position: journal.position(), fate: Fate::DropUnsynced, seed: 0 };
        let after = tempfile::tempdir().unwrap();
        cut.image(journal).write_to(after.path()).unwrap();
        drop(connection);
        journal.check_complete().unwrap();
        let connection = Connection::open(after.path().join("some.db")).unwrap();
        let count = "SELECT count(*) FROM numbers";
        connection.query_row(count, [], |row| row.get::<_, u64>(0)).unwrap()
    };
    assert_eq!(rows_left("FULL"), 1);
    assert_eq!(rows_left("NORMAL"), 0);
    assert_eq!(rows_left("OFF"), 0);
}

/// Lives once and cuts the power many times.
async fn prove(seed: u64, cuts: u64, acks: Acks, tally: &mut Tally) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut world = World::start(directory.path(), History::default(), seed, acks).await?;
    let checkpoints = world.live().await.with_context(|| format!("seed {seed}, before any cut"))?;
    world.check().await.with_context(|| format!("seed {seed}, before any cut"))?;
    world.stop().await?;
    world.journal().check_complete()?;
    verify(directory.path()).with_context(|| format!("seed {seed}, before any cut"))?;
    tally.checkpoints += checkpoints;
    tally.acked += world.history.saved().count();
    for kind in world.history.acked_kinds() {
        *tally.kinds.entry(kind).or_default() += 1;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..cuts {
        let cut = choose(world.journal(), &world.history, &mut random);
        survive(&world, cut, true, tally).await.with_context(|| format!("seed {seed}"))?;
    }
    Ok(())
}

/// The file that a store keeps everything in.
const DATABASE: &str = "petrel.db";

/// Cuts the power, and goes on with what is left.
async fn survive(world: &World, cut: Cut, may_cut_again: bool, tally: &mut Tally) -> Result<()> {
    let image = cut.image(world.journal());
    let story = format!("{cut:?}: {image}");
    *tally.cuts.entry(format!("{:?}", cut.fate)).or_default() += 1;
    tally.unsynced += image.unsynced;
    tally.lost += image.lost;
    let directory = tempfile::tempdir()?;
    let history = world.history.until(cut.position);
    let explain = || {
        let tail = world.journal().tail(cut.position, ENTRIES_PRINTED);
        format!("{story}\nbefore the cut:\n  {}\n", tail.join("\n  "))
    };

    // The verification opens the database, so it gets a copy of its own. A cut may come
    // before there is a database at all; whoever was told anything then is missed below.
    image.write_to(directory.path())?;
    if directory.path().join(DATABASE).exists() {
        verify(directory.path()).context("verified right after the cut").with_context(explain)?;
    }
    let directory = tempfile::tempdir()?;
    image.write_to(directory.path())?;
    let started = World::start(directory.path(), history, cut.seed, Acks::AfterCommit).await;
    let mut after = started.with_context(explain)?;
    go_on(&mut after).await.with_context(explain)?;
    verify(directory.path()).context("verified at the end").with_context(explain)?;
    let mut random = fastrand::Rng::with_seed(cut.seed);
    if may_cut_again && random.u8(..3) == 0 {
        tally.second_cuts += 1;
        let second = choose(after.journal(), &after.history, &mut random);
        Box::pin(survive(&after, second, false, tally)).await.with_context(explain)?;
    }
    Ok(())
}

/// What `petrel verify` says of a directory.
fn verify(directory: &Path) -> Result<()> {
    let report = sqlite::verify(directory)?;
    let first: Vec<_> = report.problems.iter().take(3).collect();
    let count = report.problem_count;
    ensure!(count == 0, "the verification found {count} problems, the first of them {first:?}");
    Ok(())
}

async fn go_on(world: &mut World) -> Result<()> {
    world.check().await.context("right after the cut")?;
    world.resume().await.context("when the senders came back")?;
    world.check().await.context("after the senders came back")?;
    world.restart().await.context("at the restart")?;
    world.check().await.context("after the restart")?;
    world.stop().await.context("at the end")?;
    world.journal().check_complete()?;
    Ok(())
}

/// A cut anywhere, or near something that is rare, or right after an ack.
fn choose(journal: &Journal, history: &History, random: &mut fastrand::Rng) -> Cut {
    let length = journal.position();
    let position = match random.u8(..10) {
        0..5 => random.usize(..=length),
        5..8 => {
            let rare =
                |entry: &Entry| !matches!(entry, Entry::Written { .. } | Entry::Synced { .. });
            let place = journal.with_entries(|entries| {
                let rare: Vec<_> =
                    (0..entries.len()).filter(|index| rare(&entries[*index])).collect();
                random.choice(rare).unwrap_or(0)
            });
            (place + random.usize(..6)).saturating_sub(2)
        }
        _ => random
            .choice(history.saved().collect::<Vec<_>>())
            .map_or(0, |(_, saved)| saved.position),
    };
    let fate = match random.u8(..10) {
        0..3 => Fate::DropUnsynced,
        3 => Fate::KeepAll,
        4..7 => Fate::Subset,
        _ => Fate::Torn,
    };
    Cut { position: position.min(length), fate, seed: random.u64(..) }
}
