//! Watching the server while a run goes on: its metrics page, and, on the same machine,
//! its memory and CPU time.

mod page;

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::clock::{self, Nanos, SECOND};
use crate::machine;
use crate::plan::Plan;
use crate::target::Target;
use crate::trend::trend;
use crate::worker::{Merged, Watched, WatchedSample};

use page::Page;

/// How often the server is looked at.
const EVERY: Nanos = 2 * SECOND;
/// The most samples of memory and CPU that go into a report.
const SAMPLES_MAX: usize = 2_000;
/// The most values of a metrics page that go into a report.
const VALUES_MAX: usize = 300;
/// The most values of the metrics page that are kept over the whole run.
const PAGE_VALUES_MAX: usize = 1_000_000;
/// Where a server on this machine may serve its metrics, besides the target's own port:
/// Petrel's admin listener.
const ADMIN_PORT: u16 = 6060;

/// The server's process at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the beginning.
    pub at_seconds: f64,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// CPU time so far, in nanoseconds.
    pub cpu: u64,
}

impl Sample {
    /// Processors used since an earlier sample; none if that was a moment ago, because
    /// CPU time is known to a hundredth of a second only.
    pub fn cores_since(&self, before: &Self) -> Option<f64> {
        let seconds = self.at_seconds - before.at_seconds;
        (seconds > 0.2).then(|| self.cpu.saturating_sub(before.cpu) as f64 / 1e9 / seconds)
    }
}

/// Somebody who watches the server.
#[derive(Debug, Default)]
pub struct Watch {
    pids: Vec<u32>,
    /// Where a page may be; the first that answers is the one.
    places: Vec<Target>,
    /// The user has named it.
    page_is_wanted: bool,
    page: Option<Target>,
    began: Nanos,
    next: Nanos,
    samples: Vec<Sample>,
    first_page: Page,
    /// What the page said, and when, in seconds since the beginning.
    pages: Vec<(f64, BTreeMap<String, f64>)>,
    page_values: usize,
    ramped: Option<(f64, u64, u64)>,
}

impl Watch {
    /// Finds out what can be watched.
    pub fn new(plan: &Plan, pid: Option<u32>, metrics_url: Option<&str>) -> Result<Self, String> {
        let mut pids: Vec<u32> = match pid {
            Some(pid) => vec![pid],
            None => plan
                .targets
                .iter()
                .filter(|target| is_here(target))
                .filter_map(|target| machine::listener_of(target.port))
                .collect(),
        };
        pids.sort_unstable();
        pids.dedup();
        let own = std::process::id();
        pids.retain(|pid| *pid != own);
        let places = match metrics_url {
            Some(url) => {
                let address = url.strip_prefix("http://").ok_or_else(|| {
                    format!("{url:?}: the metrics page is read over http:// only")
                })?;
                vec![format!("ws://{address}").parse::<Target>()?]
            }
            None => places(plan),
        };
        Ok(Self { pids, places, page_is_wanted: metrics_url.is_some(), ..Self::default() })
    }

    /// The run begins. An error says that the page that was asked for is not there.
    pub fn begin(&mut self) -> Result<(), String> {
        self.began = clock::now();
        for place in &self.places {
            if let Some(page) = Page::fetch(place) {
                self.first_page = page;
                self.page = Some(place.clone());
                break;
            }
        }
        if self.page_is_wanted && self.page.is_none() {
            let page = self.places.first().map(url_of).unwrap_or_default();
            return Err(format!(
                "{page} is no metrics page that can be read (HTTP status 200, Prometheus's text \
                 format, within half a second); leave --server-metrics out to do without"
            ));
        }
        self.look();
        Ok(())
    }

    /// Looks at the server, if it is time to.
    pub fn sample(&mut self) {
        if clock::now() >= self.next {
            self.look();
        }
    }

    /// All connections stand.
    pub fn ramped(&mut self, live: u64) {
        self.look();
        if let Some(sample) = self.samples.last() {
            self.ramped = Some((sample.at_seconds, sample.memory, live));
        }
    }

    /// Everything that was seen, in order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What the metrics page said all the time, as a table: one line for each value.
    pub fn metrics_table(&self) -> Option<String> {
        let mut table = "at_seconds,metric,value\n".to_owned();
        for (at_seconds, values) in &self.pages {
            for (name, value) in values {
                let name = name.replace('"', "\"\"");
                // Writing to a string can't fail.
                let _ = writeln!(table, "{at_seconds:.3},\"{name}\",{value}");
            }
        }
        (!self.pages.is_empty()).then_some(table)
    }

    /// The run is over: sums up.
    pub fn end(&mut self, merged: &Merged) -> Option<Watched> {
        self.look();
        let last_page = self.page.as_ref().and_then(Page::fetch).unwrap_or_default();
        if self.samples.is_empty() && last_page.values.is_empty() {
            return None;
        }
        let memory_start = self.samples.first().map(|sample| sample.memory);
        let from = self.ramped.map_or(0.0, |(at, ..)| at);
        let held: Vec<Sample> =
            self.samples.iter().filter(|sample| sample.at_seconds >= from).copied().collect();
        let cpu = match (held.first(), held.last()) {
            (Some(first), Some(last)) if last.at_seconds - first.at_seconds > 0.5 => {
                Some((last.cpu.saturating_sub(first.cpu), last.at_seconds - first.at_seconds))
            }
            _ => None,
        };
        let sent = merged.counters.messages_sent;
        let metrics_p99 = last_page.p99_since(&self.first_page);
        let metrics = last_page
            .values
            .into_iter()
            .take(VALUES_MAX)
            .map(|(name, last)| {
                let first = self.first_page.values.get(&name).copied().unwrap_or(0.0);
                (name, [first, last])
            })
            .collect();
        Some(Watched {
            pid: self.pids.first().copied(),
            memory_start,
            memory_max: self.samples.iter().map(|sample| sample.memory).max(),
            memory_per_connection: self.ramped.and_then(|(_, memory, live)| {
                let grown = memory.saturating_sub(memory_start?);
                (live >= 500).then(|| grown as f64 / live as f64)
            }),
            cores_used: cpu.map(|(cpu, seconds)| cpu as f64 / 1e9 / seconds),
            cpu_us_per_message: cpu
                .filter(|_| sent > 0)
                .map(|(cpu, _)| cpu as f64 / 1000.0 / sent as f64),
            memory_trend: {
                let points: Vec<_> =
                    held.iter().map(|sample| (sample.at_seconds, sample.memory as f64)).collect();
                trend(&points)
            },
            samples: thinned(&self.samples),
            metrics_url: self.page.as_ref().map(url_of),
            metrics,
            metrics_p99,
        })
    }

    fn look(&mut self) {
        self.next = clock::now() + EVERY;
        let (mut memory, mut cpu) = (0, 0);
        for pid in &self.pids {
            memory += machine::memory_of(*pid).unwrap_or(0);
            cpu += machine::cpu_of(*pid).unwrap_or(0);
        }
        if memory > 0 {
            let at_seconds = (clock::now() - self.began) as f64 / 1e9;
            self.samples.push(Sample { at_seconds, memory, cpu });
        }
        if let Some(page) = self.page.as_ref().and_then(Page::fetch)
            && self.page_values + page.values.len() <= PAGE_VALUES_MAX
        {
            self.page_values += page.values.len();
            self.pages.push(((clock::now() - self.began) as f64 / 1e9, page.values));
        }
    }
}

/// What a report keeps of the samples: at most [`SAMPLES_MAX`], evenly.
fn thinned(samples: &[Sample]) -> Vec<WatchedSample> {
    let step = samples.len().div_ceil(SAMPLES_MAX).max(1);
    let kept: Vec<Sample> = samples.iter().step_by(step).copied().collect();
    let before = std::iter::once(None).chain(kept.iter().map(Some));
    kept.iter()
        .zip(before)
        .map(|(sample, before)| WatchedSample {
            at_seconds: sample.at_seconds,
            memory_bytes: sample.memory,
            cores: before.and_then(|before| sample.cores_since(before)),
        })
        .collect()
}

fn is_here(target: &Target) -> bool {
    target
        .resolve()
        .is_ok_and(|addresses| addresses.iter().any(|address| address.ip().is_loopback()))
}

/// Where a server may have its metrics when nobody says: at the first target, and at the
/// admin port of a server on this machine.
fn places(plan: &Plan) -> Vec<Target> {
    let Some(first) = plan.targets.first() else { return Vec::new() };
    let path = "/metrics".to_owned();
    let own = Target { path: path.clone(), ..first.clone() };
    let admin = Target { tls: false, host: "127.0.0.1".to_owned(), port: ADMIN_PORT, path };
    let mut places = Vec::new();
    places.extend((!own.tls).then_some(own));
    places.extend(is_here(first).then_some(admin));
    places
}

fn url_of(page: &Target) -> String {
    format!("http://{}{}", page.authority(), page.path)
}
