//! The report as JUnit XML, for CI systems: what must hold are test cases.
//!
//! A requirement that was missed and deliveries that are broken are *failures*; a run that
//! could not be set up, or whose figures say nothing, is an *error*: the server was not
//! judged.

use std::fmt::Write;

use super::rising::{Rises, knee_load, mark_words, rises};
use super::{Report, plan_in_words};
use crate::calendar;
use crate::plot::svg::escape;
use crate::verdict::Outcome;

/// One test case.
struct Case {
    name: String,
    /// `failure` or `error`, its type and what it says.
    fault: Option<(&'static str, &'static str, String)>,
}

/// Writes the report as one document.
pub(super) fn write(report: &Report) -> String {
    let cases = cases(report);
    let count = |kind: &str| {
        cases.iter().filter(|case| case.fault.as_ref().is_some_and(|fault| fault.0 == kind)).count()
    };
    let (failures, errors, all) = (count("failure"), count("error"), cases.len());
    let seconds = report.elapsed_seconds;
    let name = escape(&format!("wsbench.{}", report.plan.scenario));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"wsbench\" tests=\"{all}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\">\n\
         \x20 <testsuite name=\"{name}\" timestamp=\"{}\" tests=\"{all}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"{seconds:.3}\">\n",
        calendar::iso_8601(report.started_at_ms),
    );
    properties(&mut text, report);
    for (place, case) in cases.iter().enumerate() {
        // The whole run's time stands once, so that sums are right.
        let time = if place == 0 { seconds } else { 0.0 };
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "    <testcase classname=\"{name}\" name=\"{}\" time=\"{time:.3}\"",
            escape(&case.name)
        );
        let _ = match &case.fault {
            None => writeln!(text, "/>"),
            Some((kind, class, says)) => writeln!(
                text,
                ">\n      <{kind} type=\"{class}\" message=\"{says}\">{says}</{kind}>\n    </testcase>",
                says = escape(says)
            ),
        };
    }
    let [summary, _] = plan_in_words(&report.plan);
    text + &format!(
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n",
        escape(&summary)
    )
}

fn cases(report: &Report) -> Vec<Case> {
    let verdict = &report.verdict;
    let failed = |reasons: &[String], kind, class| {
        (!reasons.is_empty()).then(|| (kind, class, reasons.join("; ")))
    };
    let set_up = (verdict.outcome == Outcome::SetUp)
        .then(|| ("error", "set-up", "nothing connected".to_owned()));
    let mut cases = vec![
        Case { name: "connections stand".to_owned(), fault: set_up },
        Case {
            name: "the run is valid".to_owned(),
            fault: failed(&verdict.invalid, "error", "invalid"),
        },
    ];
    if report.counters.messages_due > 0 {
        cases.push(Case {
            name: "every message arrives once, in order and unchanged".to_owned(),
            fault: failed(&verdict.broken, "failure", "delivery-broken"),
        });
    }
    cases.extend(verdict.requirements.iter().map(|requirement| {
        let wanted = format!("{} {}", requirement.relation.symbol(), requirement.wanted);
        Case {
            name: format!("{} {wanted}", requirement.what),
            fault: (!requirement.held).then(|| {
                let says = format!(
                    "{} was {:.3}, wanted {wanted}",
                    requirement.what, requirement.measured
                );
                ("failure", "threshold", says)
            }),
        }
    }));
    cases
}

fn properties(text: &mut String, report: &Report) {
    let mut properties = vec![
        ("exitCode".to_owned(), report.verdict.exit_code.to_string()),
        ("connections".to_owned(), report.counters.connects_ok.to_string()),
        ("sentPerSecond".to_owned(), format!("{:.1}", report.rates.sent_per_second)),
        ("deliveredPerSecond".to_owned(), format!("{:.1}", report.rates.delivered_per_second)),
    ];
    for (kind, times) in &report.times_ms {
        properties.push((format!("{kind}.p50Ms"), format!("{:.3}", times.p50)));
        properties.push((format!("{kind}.p99Ms"), format!("{:.3}", times.p99)));
    }
    if report.counters.messages_due > 0 {
        let [conditions, _] = report.rates.conditions.in_words(&report.plan);
        properties.push(("conditions".to_owned(), conditions));
    }
    for (step, number) in report.plateaus.iter().zip(1..) {
        let says = format!("{:.0}: {}", step.load, mark_words(step)[0]);
        properties.push((format!("step.{number}"), says));
        if let Some([p50, p99]) = step.e2e_ms.or(step.ping_ms) {
            properties.push((format!("step.{number}.p50Ms"), format!("{p50:.3}")));
            properties.push((format!("step.{number}.p99Ms"), format!("{p99:.3}")));
        }
    }
    if let Some(knee) = knee_load(report).filter(|_| rises(report) == Some(Rises::Rate)) {
        properties.push(("knee".to_owned(), format!("{knee:.0}")));
    }
    for (action, number) in report.actions.iter().zip(1..) {
        let ended = action.ended.as_deref().unwrap_or("still runs");
        let says = format!("{:.1} s: {} ({ended})", action.at_seconds, action.command);
        properties.push((format!("action.{number}"), says));
    }
    text.push_str("    <properties>\n");
    for (name, value) in properties {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "      <property name=\"{}\" value=\"{}\"/>",
            escape(&name),
            escape(&value)
        );
    }
    text.push_str("    </properties>\n");
}
