//! Detectors that are broken on purpose, so that the tests of honesty can show that they
//! would notice.
//!
//! Only in builds with the feature `mutants`, which nothing but `make mutants` asks for.
//! One fault at a time is chosen by the environment variable `PETREL_MUTANT`.

use std::sync::OnceLock;

/// Every fault there is.
const ALL: &[&str] = &[
    "bench-misses-loss",
    "bench-misses-acked-loss",
    "bench-misses-duplicates",
    "bench-misses-reordering",
    "bench-misses-strangers",
    "bench-misses-corruption",
    "bench-misses-wrong-answers",
    "bench-misses-disconnects",
    "bench-times-from-sending",
    "bench-cuts-the-tail",
    "bench-times-too-short",
    "bench-receipts-name-nobody",
    "bench-acknowledges-nothing",
    "bench-calls-repeats-duplicates",
    "bench-reads-no-history-over-http",
    "bench-believes-any-second-copy",
];

/// Whether this is the fault that was chosen.
///
/// # Panics
///
/// If `PETREL_MUTANT` names no fault: a test that passes must not pass because of a typo.
pub(crate) fn is(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let chosen = std::env::var("PETREL_MUTANT").ok();
        let is_known = chosen.as_deref().is_none_or(|chosen| ALL.contains(&chosen));
        assert!(is_known, "PETREL_MUTANT is {chosen:?}, none of {ALL:?}");
        chosen
    });
    debug_assert!(ALL.contains(&name), "{name} is no fault");
    chosen.as_deref() == Some(name)
}
