//! What the forms of a report say alike about the steps of a rising load.

use super::Report;
use crate::scenario::Disruption;
use crate::worker::{BeyondKnee, Plateau, beyond_knee, knee};

/// The most reasons of refusal that are told of a step.
const REASONS_SHOWN_MAX: usize = 3;

/// What rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rises {
    /// Messages a second.
    Rate,
    /// Connections.
    Connections,
}

/// What rises in a run, if anything does.
pub(super) fn rises(report: &Report) -> Option<Rises> {
    match report.plan.behaviour().disruption {
        Disruption::RisingRate { .. } => Some(Rises::Rate),
        Disruption::RisingConnections { .. } => Some(Rises::Connections),
        _ => None,
    }
}

/// What becomes of a step, English and Chinese.
pub(super) fn mark_words(step: &Plateau) -> [&'static str; 2] {
    match (step.worked, step.generator_was_late()) {
        (true, _) => ["ok", "通过"],
        (false, false) => ["FAILED", "失败"],
        (false, true) => ["FAILED (generator late)", "失败（压测端迟发）"],
    }
}

/// The load of the last step that worked before one that did not.
pub(super) fn knee_load(report: &Report) -> Option<f64> {
    knee(&report.plateaus).map(|step| step.load)
}

/// What happens beyond the knee, English and Chinese.
pub(super) fn beyond_words(steps: &[Plateau]) -> [&'static str; 2] {
    match beyond_knee(steps) {
        BeyondKnee::NotReached => ["not reached", "未到拐点"],
        BeyondKnee::SlowRise => ["a slow rise", "缓慢上升"],
        BeyondKnee::Explosion => ["an explosion", "突然恶化"],
        BeyondKnee::Refusal => ["refusals, latency stays", "拒绝服务，延迟不变"],
        BeyondKnee::GeneratorLimit => ["this generator's own limit", "压测端自身上限"],
    }
}

/// The most frequent reasons for which messages of a step were refused.
pub(super) fn refusals(step: &Plateau) -> Vec<(&str, u64)> {
    let mut refused: Vec<_> =
        step.refused.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    refused.truncate(REASONS_SHOWN_MAX);
    refused
}
