//! Finding the smallest history that shows a failure.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
//! Input", 2002): leave ever smaller parts of the plan out, and keep what still fails in
//! the same way.

use std::time::{Duration, Instant};

use crate::{Failure, Step, live};

/// How long a failure is made smaller. This bounds an effort, it decides no test.
const TIME_MAX: Duration = Duration::from_secs(60);

/// A failure for people: the seed, and the smallest history that was found.
pub(crate) fn tell(seed: u64, plan: &[Step], failure: Failure) -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (class, first) = (class_of(&failure).to_owned(), failure.what.clone());
    let fails = |plan: &[Step]| {
        let failure = live(plan, true).err()?;
        (class_of(&failure) == class).then_some(failure)
    };
    let (plan, failure) = smallest(plan[..failure.steps.min(plan.len())].to_vec(), failure, fails);
    std::panic::set_hook(hook);
    format!(
        "PETREL_SIMULATION_SEED={seed}: {first}\nor, in short: {}\n{} steps show it:\n  {}",
        failure.what,
        plan.len(),
        failure.story.join("\n  ")
    )
}

/// What a failure is about, without the device that shows it and the numbers in it.
fn class_of(failure: &Failure) -> &str {
    let mut parts = failure.what.split(": ");
    parts.find(|part| !part.starts_with("device ")).unwrap_or_default()
}

fn smallest(
    mut plan: Vec<Step>,
    mut failure: Failure,
    fails: impl Fn(&[Step]) -> Option<Failure>,
) -> (Vec<Step>, Failure) {
    let since = Instant::now();
    if let Some(told) = fails(&plan) {
        failure = told;
    }
    let mut part = plan.len().div_ceil(2);
    while part > 0 {
        let mut removed = false;
        let mut start = 0;
        while start < plan.len() && since.elapsed() < TIME_MAX {
            let end = (start + part).min(plan.len());
            let rest = [&plan[..start], &plan[end..]].concat();
            match fails(&rest) {
                Some(told) => {
                    (plan, failure) = (rest, told);
                    removed = true;
                }
                None => start = end,
            }
        }
        if since.elapsed() >= TIME_MAX {
            break;
        }
        if !removed || part > 1 {
            part /= 2;
        }
    }
    (plan, failure)
}

#[test]
fn what_does_not_matter_is_left_out() {
    let fails = |plan: &[Step]| {
        let matters = plan.contains(&17) && plan.contains(&40);
        matters.then(|| Failure { what: "both".to_owned(), steps: plan.len(), story: Vec::new() })
    };
    let plan: Vec<Step> = (0..100).collect();
    let failure = fails(&plan).unwrap();
    let (plan, _) = smallest(plan, failure, fails);
    assert_eq!(plan, [17, 40]);
}
