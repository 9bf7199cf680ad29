//! What is measured of a run, and how it is told.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// Linux counts a process's CPU time in these, whatever the kernel's own tick is.
const CPU_TICKS_PER_SECOND: u64 = 100;

/// Counters of this process.
#[derive(Clone, Copy)]
struct Counters {
    cpu: Duration,
    written_bytes: u64,
}

/// Measures between its creation and [`Meter::finish`].
pub(crate) struct Meter {
    counters: Counters,
    began: Instant,
    generating: Duration,
    generating_cpu: Duration,
    commits: Vec<Duration>,
    /// When each of them ended.
    pub(crate) ends: Vec<(Instant, Duration)>,
}

/// What a run cost.
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) messages: u64,
    pub(crate) logical_bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
    pub(crate) written_bytes: u64,
    /// In order of duration.
    pub(crate) commits: Vec<Duration>,
    /// How long it took to open the store again.
    pub(crate) opened: Option<Duration>,
    /// How long pulls of 100 events took, in order of duration.
    pub(crate) pulls: Vec<Duration>,
    /// How long the last page of 50 took when nothing of it was in memory, likewise.
    pub(crate) cold_pages: Vec<Duration>,
}

impl Counters {
    fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        // The name in parentheses may hold anything; user and system time are 12 and 13
        // fields after it.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        let io = fs::read_to_string("/proc/self/io").unwrap();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
        Self {
            cpu: Duration::from_millis(ticks * 1000 / CPU_TICKS_PER_SECOND),
            written_bytes: written.parse().unwrap(),
        }
    }
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            counters: Counters::read(),
            began: Instant::now(),
            generating: Duration::ZERO,
            generating_cpu: Duration::ZERO,
            commits: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Makes something to commit, which is not part of what is measured.
    pub(crate) fn generate<T>(&mut self, generate: impl FnOnce() -> T) -> T {
        let (began, cpu) = (Instant::now(), thread_cpu());
        let generated = generate();
        self.generating_cpu += thread_cpu() - cpu;
        self.generating += began.elapsed();
        generated
    }

    /// Measures one commit.
    pub(crate) fn commit<T>(&mut self, commit: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let committed = commit();
        self.commits.push(began.elapsed());
        self.ends.push((Instant::now(), began.elapsed()));
        committed
    }

    pub(crate) fn finish(mut self, name: String, messages: u64, logical_bytes: u64) -> Report {
        let counters = Counters::read();
        let elapsed = self.began.elapsed() - self.generating;
        self.commits.sort_unstable();
        let cpu = counters.cpu - self.counters.cpu;
        Report {
            name,
            messages,
            logical_bytes,
            elapsed,
            cpu: cpu.saturating_sub(self.generating_cpu),
            written_bytes: counters.written_bytes - self.counters.written_bytes,
            commits: self.commits,
            opened: None,
            pulls: Vec::new(),
            cold_pages: Vec::new(),
        }
    }
}

fn thread_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

/// The duration that `share` of all are below.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

pub(crate) fn print_header() {
    println!(
        "| run | messages | messages/s | CPU µs each | written × | commit p50 ms | p99 | max \
         | open ms | pull of 100: p50 µs | p99 | cold page of 50: p50 ms | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        write!(
            f,
            "| {} | {} | {:.0} | {:.2} | {:.1} | {:.2} | {:.2} | {:.1} |",
            self.name,
            self.messages,
            self.messages as f64 / self.elapsed.as_secs_f64(),
            self.cpu.as_secs_f64() * 1e6 / self.messages as f64,
            self.written_bytes as f64 / self.logical_bytes as f64,
            milliseconds(percentile(&self.commits, 0.5)),
            milliseconds(percentile(&self.commits, 0.99)),
            milliseconds(percentile(&self.commits, 1.0)),
        )?;
        match self.opened {
            Some(opened) => write!(f, " {:.0} |", milliseconds(opened))?,
            None => f.write_str(" |")?,
        }
        if self.pulls.is_empty() {
            f.write_str(" | |")?;
        } else {
            let microseconds = |share| percentile(&self.pulls, share).as_micros();
            write!(f, " {} | {} |", microseconds(0.5), microseconds(0.99))?;
        }
        if self.cold_pages.is_empty() {
            return f.write_str(" | |");
        }
        let cold = |share| milliseconds(percentile(&self.cold_pages, share));
        write!(f, " {:.1} | {:.1} |", cold(0.5), cold(0.99))
    }
}
