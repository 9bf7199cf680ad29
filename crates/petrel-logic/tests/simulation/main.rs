//! A seeded simulation of the sequencer, sync and devices over a store in memory, with
//! the faults and the clock under its control.
//!
//! A world has a few users with two devices each. Step by step, devices send, read, leave
//! and return, pushes are lost, commits are refused or fail after they took place, the
//! process dies between a commit and its answers, and the clock jumps. The checkers ask:
//!
//! - are timelines contiguous, and is every acked message there once, as acked?
//! - does every device see the same timeline?
//! - *state fetched = old state + events*: is what a device has worked out from pushes,
//!   pulls and syncs what a new device is told?
//!
//! `PETREL_SIMULATION_STEPS` and `PETREL_SIMULATION_SEED` change how much is run; a failure
//! prints the seed and what happened before.

#![expect(clippy::unwrap_used, reason = "a failed call is a failed test")]

mod device;
mod world;

use world::World;

/// Steps of one world. Many short lives meet more corners than one long one.
const STEPS_PER_WORLD: u64 = 10_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn state_fetched_is_old_state_plus_events() {
    let steps = setting("PETREL_SIMULATION_STEPS", 1_000_000);
    let first_seed = setting("PETREL_SIMULATION_SEED", 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in first_seed..first_seed + steps.div_ceil(STEPS_PER_WORLD) {
        runtime.block_on(async {
            let mut world = World::new(seed).await;
            for _ in 0..STEPS_PER_WORLD {
                world.step().await;
            }
            world.settle().await;
            world.check().await;
        });
    }
}
