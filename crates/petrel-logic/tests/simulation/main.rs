//! A seeded simulation of the sequencer, sync and devices over a store in memory, with
//! the faults and the clock under its control.
//!
//! A world has a few users with two devices each, who write to each other, found groups
//! and change them, become friends or block each other, recall and edit, leave and return; pushes are lost, commits are
//! refused or fail after they took place, the process dies between a commit and its
//! answers, what follows from changes is carried out late, twice or after a restart,
//! timelines are trimmed, files are uploaded, sent, shown and deleted, and the clock jumps. The checkers ask:
//!
//! - Is everything stored as the rules of docs/protocol.md say ([`ledger`], which is told
//!   what was asked and what was stored, and works out the rest on its own)?
//! - Is everything that was acked stored, once, where the ack says?
//! - Does everybody get what they may see, and nothing else, by pushes and by every read?
//! - *State fetched = old state + events*: is what a device has worked out from pushes,
//!   pulls and syncs what a new device is told?
//! - Is a text that was recalled or edited away nowhere in the store?
//! - May everybody have the files that go with what they may read, and no others; and is a file
//!   there for as long as something refers to it, and no longer ([`files`])?
//!
//! `PETREL_SIMULATION_STEPS` and `PETREL_SIMULATION_SEED` change how much is run. A
//! failure prints its seed and the smallest history that still shows it ([`shrink`]).

#![expect(clippy::unwrap_used, reason = "a failed call is a failed test")]

mod check;
mod contacts;
mod copy;
mod device;
mod files;
mod held;
mod ledger;
mod pairs;
mod rules;
mod server;
mod shrink;
mod users;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use world::World;

/// Steps of one world. Many short lives meet more corners than one long one.
const STEPS_PER_WORLD: u64 = 2_000;

/// The fewest events of each kind in a million steps: a world in which little happens
/// proves little.
const EVENTS_PER_KIND_MIN: u64 = 200;

/// One thing that happens: the seed of all choices that are made in it, so that a step
/// has a meaning whatever came before.
type Step = u64;

/// How often what happened.
type Tally = BTreeMap<&'static str, u64>;

/// What went wrong in a world.
#[derive(Clone, Debug)]
struct Failure {
    what: String,
    /// How many steps had been done.
    steps: usize,
    /// What happened before, if it was written down.
    story: Vec<String>,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn state_fetched_is_old_state_plus_events() {
    let steps = setting("PETREL_SIMULATION_STEPS", 1_000_000);
    let first_seed = setting("PETREL_SIMULATION_SEED", 1);
    let seeds = first_seed..first_seed + steps.div_ceil(STEPS_PER_WORLD);
    let next = AtomicU64::new(seeds.start);
    let failed: Mutex<BTreeMap<u64, Failure>> = Mutex::default();
    let total: Mutex<Tally> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match live(&plan(seed), false) {
                        Ok(tally) => add(&mut total.lock().unwrap(), tally),
                        Err(failure) => {
                            failed.lock().unwrap().insert(seed, failure);
                        }
                    }
                }
            });
        }
    });
    if let Some((seed, failure)) = failed.into_inner().unwrap().pop_first() {
        panic!("{}", shrink::tell(seed, &plan(seed), failure));
    }
    let total = total.into_inner().unwrap();
    println!("{total:?}");
    for kind in ledger::KINDS {
        let seen = total.get(kind).copied().unwrap_or(0);
        assert!(seen * 1_000_000 >= EVENTS_PER_KIND_MIN * steps, "{kind} came {seen} times only");
    }
}

/// What happens in the world of a seed.
fn plan(seed: u64) -> Vec<Step> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..STEPS_PER_WORLD).map(|_| random.u64(..)).collect()
}

/// Lets a world live and checks it.
fn live(plan: &[Step], tell: bool) -> Result<Tally, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = runtime.block_on(World::new(tell));
    let lived = catch_unwind(AssertUnwindSafe(|| runtime.block_on(world.live(plan))));
    let what = match lived {
        Ok(Ok(())) => return Ok(world.into_tally()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_else(|| "a panic".to_owned()),
    };
    Err(Failure { what, steps: world.steps_done(), story: world.into_story() })
}

fn add(total: &mut Tally, tally: Tally) {
    for (what, count) in tally {
        *total.entry(what).or_default() += count;
    }
}
