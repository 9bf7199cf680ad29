//! Which runs can be compared: those that were asked to do the same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::report::Report;

/// Parts of a plan that may differ: where the server is, who the users are, what was
/// required, how the generator was set up.
const MAY_DIFFER: [&str; 16] = [
    "targets",
    "tokenKey",
    "dataDir",
    "userBase",
    "seed",
    "thresholds",
    "workers",
    "sources",
    "cacert",
    "insecure",
    "cert",
    "key",
    "headers",
    "loginBy",
    "drain",
    "lateAfter",
];

/// Runs of the same plan.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they were asked to do.
    plan: BTreeMap<String, Value>,
    /// The runs, oldest first.
    pub runs: Vec<Report>,
}

/// Puts runs together that were asked to do the same, in the order they come.
pub fn group(runs: Vec<Report>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let plan = asked(&run);
        match groups.iter_mut().find(|group| differing(&group.plan, &plan).is_empty()) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { plan, runs: vec![run] }),
        }
    }
    groups
}

/// In what two groups differ, in words; empty if they can be compared.
pub fn differences(before: &Group, after: &Group) -> Vec<String> {
    differing(&before.plan, &after.plan)
}

fn asked(run: &Report) -> BTreeMap<String, Value> {
    let plan = serde_json::to_value(&run.plan).expect("a plan has no odd keys");
    let fields = plan.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter(|(name, _)| !MAY_DIFFER.contains(&name.as_str())).collect()
}

/// What only one of them has was not known to the other's version of this program, and is
/// as it was then: it does not count.
fn differing(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    before
        .iter()
        .filter_map(|(name, was)| Some((name, was, after.get(name)?)))
        .filter(|(_, was, is)| was != is)
        .map(|(name, was, is)| format!("{name} was {was}, is {is}"))
        .collect()
}
