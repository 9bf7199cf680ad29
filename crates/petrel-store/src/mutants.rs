//! Faults that are built in on purpose, so that the proofs can show that they would notice.
//!
//! Only in builds with the feature `mutants`, which nothing but `make mutants` asks for;
//! `petrel` refuses to be built with it in release. One fault at a time is chosen by the
//! environment variable `PETREL_MUTANT`.

use std::sync::OnceLock;
use std::time::Duration;

/// Every fault there is.
pub const ALL: &[&str] = &[
    "ack-before-commit",
    "synchronous-off",
    "idempotency-not-rebuilt",
    "watermark-before-slice",
    "head-lowered-at-open",
    "fan-out-before-commit",
    "membership-outside-sequencer",
    "reaction-survives-recall",
    "hidden-is-shown",
    "sent-on-unread",
    "block-not-looked-at",
    "contact-told-out-of-order",
    "mention-survives-recall",
    "muted-may-speak",
    "pin-survives-recall",
    "file-survives-recall",
    "object-forgotten",
    "hiding-is-not-told",
    "hidden-presence-is-seen",
    "blocked-presence-is-seen",
    "search-shows-unreadable",
    "search-keeps-old-texts",
    "audit-not-kept",
    "disabled-keeps-log-ins",
    "invitation-outlives-its-group",
    "invitation-told-after-its-end",
    "taken-in-unasked",
    "file-shared-unread",
    "picture-outlives-its-use",
    "call-across-a-block",
    "call-races-a-block",
    "call-recorded-twice",
    "answered-call-unread",
    "withdrawn-stays-invited",
    "invitations-unpaced",
    "expired-invitation-introduces",
    "application-counts-again",
    "known-forgotten",
];

/// How long a commit takes that was acknowledged before it: about as long as on a disk
/// that has to turn.
pub(crate) const SLOW_COMMIT: Duration = Duration::from_millis(5);

/// Whether this is the fault that was chosen.
///
/// # Panics
///
/// If `PETREL_MUTANT` names no fault: a proof that passes must not pass because of a typo.
pub fn is(name: &str) -> bool {
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
