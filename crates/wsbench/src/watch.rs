//! Watching the server while a run goes on: its metrics page, and, on the same machine,
//! its memory and CPU time.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock::{self, Nanos, SECOND};
use crate::machine;
use crate::plan::Plan;
use crate::target::Target;
use crate::worker::{Merged, Trend, Watched};

/// How often the server is looked at.
const EVERY: Nanos = 2 * SECOND;
/// How long its metrics page may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most bytes of a metrics page.
const PAGE_BYTES_MAX: u64 = 8 << 20;
/// The most values of a metrics page that go into a report.
const VALUES_MAX: usize = 200;
/// The fewest samples that make a trend.
const TREND_SAMPLES_MIN: usize = 10;
/// The most samples a trend is computed from; more are thinned out.
const TREND_SAMPLES_MAX: usize = 1000;

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

/// Somebody who watches the server.
#[derive(Debug, Default)]
pub struct Watch {
    pids: Vec<u32>,
    page: Option<Target>,
    page_is_wanted: bool,
    began: Nanos,
    next: Nanos,
    samples: Vec<Sample>,
    first_page: BTreeMap<String, f64>,
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
        let page = match metrics_url {
            Some(url) => {
                let address = url.strip_prefix("http://").ok_or_else(|| {
                    format!("{url:?}: the metrics page is read over http:// only")
                })?;
                Some(format!("ws://{address}").parse::<Target>()?)
            }
            None => plan
                .targets
                .first()
                .filter(|target| !target.tls)
                .map(|target| Target { path: "/metrics".to_owned(), ..target.clone() }),
        };
        Ok(Self { pids, page, page_is_wanted: metrics_url.is_some(), ..Self::default() })
    }

    /// The run begins.
    pub fn begin(&mut self) {
        self.began = clock::now();
        self.first_page = self.read_page().unwrap_or_default();
        if self.first_page.is_empty() && !self.page_is_wanted {
            self.page = None;
        }
        self.look();
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

    /// The run is over: sums up.
    pub fn end(&mut self, merged: &Merged) -> Option<Watched> {
        self.look();
        let last_page = self.read_page().unwrap_or_default();
        if self.samples.is_empty() && last_page.is_empty() {
            return None;
        }
        let memory_start = self.samples.first().map(|sample| sample.memory);
        let from = self.ramped.map_or(0.0, |(at, ..)| at);
        let held: Vec<Sample> =
            self.samples.iter().filter(|sample| sample.at_seconds >= from).copied().collect();
        let cpu = match (held.first(), held.last()) {
            (Some(first), Some(last)) if last.at_seconds - first.at_seconds > 0.5 => {
                Some((last.cpu - first.cpu, last.at_seconds - first.at_seconds))
            }
            _ => None,
        };
        let sent = merged.counters.messages_sent;
        let metrics = last_page
            .into_iter()
            .take(VALUES_MAX)
            .map(|(name, last)| {
                let first = self.first_page.get(&name).copied().unwrap_or(0.0);
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
            memory_trend: trend(&held),
            metrics_url: self
                .page
                .as_ref()
                .map(|page| format!("http://{}{}", page.authority(), page.path)),
            metrics,
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
    }

    fn read_page(&self) -> Option<BTreeMap<String, f64>> {
        let page = self.page.as_ref()?;
        let address: SocketAddr = *page.resolve().ok()?.first()?;
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.set_write_timeout(Some(PATIENCE)).ok()?;
        let host = page.authority();
        let request =
            format!("GET {} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n", page.path);
        socket.write_all(request.as_bytes()).ok()?;
        let mut text = Vec::new();
        socket.take(PAGE_BYTES_MAX).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.split_whitespace().nth(1).filter(|status| *status == "200")?;
        Some(parse_page(body))
    }
}

fn is_here(target: &Target) -> bool {
    target
        .resolve()
        .is_ok_and(|addresses| addresses.iter().any(|address| address.ip().is_loopback()))
}

/// The values of a page in Prometheus's text format, without buckets and timestamps.
fn parse_page(body: &str) -> BTreeMap<String, f64> {
    body.lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_bucket{"))
        .filter_map(|line| {
            let end = line.rfind('}').map_or_else(|| line.find(' '), |at| Some(at + 1))?;
            let (name, rest) = line.split_at(end);
            let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
            value.is_finite().then(|| (name.to_owned(), value))
        })
        .collect()
}

/// The Theil-Sen slope of the memory and its 95 % confidence interval after Sen (1968),
/// the first fifth of the samples left out as warm-up.
fn trend(samples: &[Sample]) -> Option<Trend> {
    let samples = &samples[samples.len() / 5..];
    let step = samples.len().div_ceil(TREND_SAMPLES_MAX).max(1);
    let samples: Vec<&Sample> = samples.iter().step_by(step).collect();
    let count = samples.len();
    if count < TREND_SAMPLES_MIN {
        return None;
    }
    let mean = samples.iter().map(|sample| sample.memory as f64).sum::<f64>() / count as f64;
    let mut slopes = Vec::with_capacity(count * (count - 1) / 2);
    for (index, first) in samples.iter().enumerate() {
        for second in &samples[index + 1..] {
            let hours = (second.at_seconds - first.at_seconds) / 3600.0;
            if hours > 0.0 {
                let bytes = second.memory as f64 - first.memory as f64;
                slopes.push(100.0 * bytes / mean / hours);
            }
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let pairs = slopes.len() as f64;
    let n = count as f64;
    // Kendall's variance without ties, which only widens the interval.
    let half = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() / 2.0;
    let at = |place: f64| slopes[(place.round().max(0.0) as usize).min(slopes.len() - 1)];
    Some(Trend {
        percent_per_hour: at(pairs / 2.0),
        percent_per_hour_low: at(pairs / 2.0 - half),
        percent_per_hour_high: at(pairs / 2.0 + half),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u64) -> u64) -> Vec<Sample> {
        (0..200)
            .map(|index| Sample { at_seconds: index as f64 * 2.0, memory: memory(index), cpu: 0 })
            .collect()
    }

    #[test]
    fn a_leak_is_told_from_noise() {
        let mut random = fastrand::Rng::with_seed(3);
        let noise: Vec<u64> = (0..200).map(|_| random.u64(0..2_000_000)).collect();
        let flat = trend(&samples(|index| 100_000_000 + noise[index as usize])).unwrap();
        assert!(flat.percent_per_hour_low < 0.0 && flat.percent_per_hour_high > 0.0, "{flat:?}");
        let leak =
            trend(&samples(|index| 100_000_000 + noise[index as usize] + 40_000 * index)).unwrap();
        assert!(leak.percent_per_hour_low > 10.0, "{leak:?}");
        assert!(leak.percent_per_hour_low <= leak.percent_per_hour);
        assert!(leak.percent_per_hour <= leak.percent_per_hour_high);
        assert!(trend(&samples(|_| 1)[..5]).is_none());
    }

    #[test]
    fn a_metrics_page_is_read() {
        let page = "# HELP a b\na 1\nb{x=\"y z\"} 2.5 1700000\nc_bucket{le=\"1\"} 3\nd NaN\n";
        let values = parse_page(page);
        assert_eq!(values.len(), 2);
        assert_eq!(values["b{x=\"y z\"}"], 2.5);
    }
}
