//! One store that grows: does a commit cost more in the end than in the beginning?

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use petrel_store::sqlite;

use crate::Print;
use crate::arguments::Arguments;
use crate::lazy::Owned;
use crate::measure::{Meter, percentile, print_header};
use crate::workload::{Generator, Workload};
use crate::{plot, trace};

const CONVERSATIONS: u64 = 100_000;
const STEPS: u64 = 10;

pub(crate) fn run(place: &Path, arguments: &Arguments, messages: u64) {
    println!("A store that grows, in {STEPS} steps:");
    print_header();
    let batch = arguments.batch;
    let step = Workload {
        batch,
        conversations: CONVERSATIONS,
        cursors: arguments.cursors,
        messages: (messages / STEPS).next_multiple_of(batch as u64),
    };
    let mut generator = step.generator();
    let mut owned = Owned::open(place);
    step.beginnings().into_iter().for_each(|batch| owned.commit(batch));
    trace::take();
    let mut commits = Vec::new();
    for number in 1..=STEPS {
        let before = generator.logical_bytes;
        let mut meter = Meter::start();
        for _ in 0..step.messages / batch as u64 {
            let batch = meter.generate(|| generator.batch());
            meter.commit(|| owned.commit(batch));
        }
        commits.append(&mut meter.ends);
        let name = step.name(&format!("up to {} k", number * step.messages / 1000));
        let mut report = meter.finish(name, step.messages, generator.logical_bytes - before);
        report.pulls = owned.pull(&mut generator);
        if number == STEPS {
            if let Some(path) = &arguments.plot {
                let title = format!(
                    "{} messages, {batch} per commit: how long commits take",
                    step.messages * STEPS
                );
                plot::write(path, &title, &commits, &trace::take());
            }
            let (reopened, opened) = owned.reopen(place);
            report.opened = Some(opened);
            owned = reopened;
            report.cold_pages = owned.cold_pages(place, &mut generator);
        }
        report.print();
    }
    if arguments.backup {
        back_up(place, &owned, &mut generator);
    }
}

/// Makes a backup while commits go on, and tells what it does to them.
fn back_up(place: &Path, owned: &Owned, generator: &mut Generator) {
    let to = place.with_extension("backup");
    let _ = std::fs::remove_dir_all(&to);
    let commit_for = |generator: &mut Generator, is_over: &dyn Fn() -> bool| {
        let (mut commits, mut refused, began) = (Vec::new(), Duration::ZERO, Instant::now());
        while !is_over() {
            let batch = generator.batch();
            let began = Instant::now();
            // The log may reach its limit; the server would answer `server_busy`.
            while owned.try_commit(batch.clone()).is_err() {
                thread::sleep(Duration::from_millis(1));
                refused = began.elapsed();
            }
            commits.push(began.elapsed());
        }
        commits.sort_unstable();
        let ms = |share| percentile(&commits, share).as_secs_f64() * 1e3;
        println!(
            "{} commits in {:.1} s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; refused for {:.1} s",
            commits.len(),
            began.elapsed().as_secs_f64(),
            ms(0.5),
            ms(0.99),
            ms(1.0),
            refused.as_secs_f64()
        );
    };
    let alone = Instant::now();
    print!("Without a backup: ");
    commit_for(generator, &|| alone.elapsed() > Duration::from_secs(5));
    let bytes = std::fs::metadata(place.join("petrel.db")).unwrap().len();
    let (from, copy, began) = (place.to_owned(), to.clone(), Instant::now());
    let backup = thread::spawn(move || {
        sqlite::backup(&from, &copy, &[], |_| {}).unwrap();
        began.elapsed()
    });
    print!("During a backup of {} MiB: ", bytes >> 20);
    commit_for(generator, &|| backup.is_finished());
    let log = std::fs::metadata(place.join("petrel.db-wal")).unwrap().len();
    let took = backup.join().unwrap().as_secs_f64();
    println!("The backup took {took:.1} s; the log was {} MiB long afterwards.", log >> 20);
    let _ = std::fs::remove_dir_all(&to);
}
