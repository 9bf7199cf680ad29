//! One store that grows: does a commit cost more in the end than in the beginning?

use std::path::Path;

use crate::Print;
use crate::lazy::Owned;
use crate::measure::{Meter, print_header};
use crate::workload::Workload;

const CONVERSATIONS: u64 = 100_000;
const STEPS: u64 = 10;

pub(crate) fn run(place: &Path, batch: usize, messages: u64, cursors: bool) {
    println!("A store that grows, in {STEPS} steps:");
    print_header();
    let step = Workload {
        batch,
        conversations: CONVERSATIONS,
        cursors,
        messages: (messages / STEPS).next_multiple_of(batch as u64),
    };
    let mut generator = step.generator();
    let mut owned = Owned::open(place);
    step.beginnings().into_iter().for_each(|batch| owned.commit(batch));
    for number in 1..=STEPS {
        let before = generator.logical_bytes;
        let mut meter = Meter::start();
        for _ in 0..step.messages / batch as u64 {
            let batch = meter.generate(|| generator.batch());
            meter.commit(|| owned.commit(batch));
        }
        let name = step.name(&format!("up to {} k", number * step.messages / 1000));
        let mut report = meter.finish(name, step.messages, generator.logical_bytes - before);
        report.pulls = owned.pull(&mut generator);
        if number == STEPS {
            let (reopened, opened) = owned.reopen(place);
            report.opened = Some(opened);
            owned = reopened;
        }
        report.print();
    }
}
