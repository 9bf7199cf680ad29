//! What all workers have to say together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plateau::{Plateau, together};
use super::{StairResult, StepResult, Usage, WorkerResult};
use crate::clock::SECOND;
use crate::ledger::Tally;
use crate::metrics::{Counters, Times, Timing, no_times};

/// What all workers have to say together, exactly.
#[derive(Debug, Default)]
pub struct Merged {
    /// All counts.
    pub counters: Counters,
    /// Errors by class.
    pub errors: BTreeMap<String, u64>,
    /// What became of the messages.
    pub tally: Tally,
    /// The steps of a ladder.
    pub steps: Vec<Step>,
    /// The steps of a rising load.
    pub plateaus: Vec<Plateau>,
    /// How each worker fared.
    pub usage: Vec<Usage>,
    /// What was seen of the server.
    pub server: Option<Watched>,
    times: BTreeMap<Timing, Times>,
}

/// One step of a ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Connections a second that were due.
    pub offered: f64,
    /// Connections a second that came to stand.
    pub reached: f64,
    /// Connections tried.
    pub attempted: u64,
    /// Connections that came to stand.
    pub ok: u64,
    /// Median time to connect, in milliseconds.
    pub p50_ms: f64,
    /// What 99 % of them did not exceed, in milliseconds.
    pub p99_ms: f64,
    /// It met the requirements of a step.
    pub worked: bool,
}

/// What was seen of the server during the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watched {
    /// Its process, if it is on this machine.
    pub pid: Option<u32>,
    /// Its resident memory at the start, in bytes.
    pub memory_start: Option<u64>,
    /// Its resident memory at the most, in bytes.
    pub memory_max: Option<u64>,
    /// Its resident memory when all connections stood, less that at the start, for each
    /// connection, in bytes.
    pub memory_per_connection: Option<f64>,
    /// Processors it used during the measured time.
    pub cores_used: Option<f64>,
    /// CPU time for each message sent, in microseconds.
    pub cpu_us_per_message: Option<f64>,
    /// Its memory and CPU over time; of long runs every so many samples one.
    #[serde(default)]
    pub samples: Vec<WatchedSample>,
    /// How its memory changed during the measured time.
    pub memory_trend: Option<Trend>,
    /// The metrics page that was read, and how many values it had.
    pub metrics_url: Option<String>,
    /// Values of the metrics page: at the start and at the end.
    pub metrics: BTreeMap<String, [f64; 2]>,
    /// For each histogram of the metrics page, what 99 % of the values during the run did
    /// not exceed, in the unit of the page: the upper bound of a bucket.
    pub metrics_p99: BTreeMap<String, f64>,
}

/// The server's process at one moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchedSample {
    /// Seconds since the beginning.
    pub at_seconds: f64,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// Processors used since the sample before.
    pub cores: Option<f64>,
}

/// A robust line through what should not grow (Theil-Sen).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    /// The median slope, in percent of the mean per hour.
    pub percent_per_hour: f64,
    /// The lower end of its 95 % confidence interval.
    pub percent_per_hour_low: f64,
    /// The upper end.
    pub percent_per_hour_high: f64,
}

impl Merged {
    /// Adds a worker's.
    pub fn add(&mut self, result: WorkerResult) {
        self.counters.add(&result.counters);
        for (class, count) in result.errors {
            *self.errors.entry(class).or_default() += count;
        }
        for (timing, sparse) in result.times {
            sparse.add_to(self.times.entry(timing).or_insert_with(no_times));
        }
        self.tally.add(&result.tally);
        self.usage.push(result.usage);
    }

    /// Adds the steps of all workers: a step is as fast as all of them together.
    pub fn add_steps(&mut self, workers: &[Vec<StepResult>]) {
        let most = workers.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..most {
            let mut times = no_times();
            let (mut offered, mut reached, mut attempted, mut ok) = (0.0, 0.0, 0, 0);
            for step in workers.iter().filter_map(|steps| steps.get(index)) {
                let seconds = step.nanos as f64 / SECOND as f64;
                offered += step.offered;
                reached += step.ok as f64 / seconds;
                attempted += step.attempted;
                ok += step.ok;
                step.times.add_to(&mut times);
            }
            let p99_ms = times.value_at_quantile(0.99) as f64 / 1000.0;
            let worked = ok as f64 >= 0.99 * attempted as f64
                && reached >= 0.95 * 0.99 * offered - 1.0
                && p99_ms <= 1000.0;
            let p50_ms = times.value_at_quantile(0.5) as f64 / 1000.0;
            self.steps.push(Step { offered, reached, attempted, ok, p50_ms, p99_ms, worked });
        }
    }

    /// Replaces everything that was timed.
    pub fn set_times(&mut self, times: BTreeMap<Timing, Times>) {
        self.times = times;
    }

    /// Adds the steps of a rising load, with the server's memory at the end of each:
    /// `memory` says what it was so many seconds after the beginning.
    pub fn add_plateaus(
        &mut self,
        workers: &[Vec<StairResult>],
        per_message: u32,
        memory: impl Fn(f64) -> Option<u64>,
    ) {
        self.plateaus = together(workers, per_message);
        for plateau in &mut self.plateaus {
            plateau.server_memory = memory(plateau.until_seconds);
        }
    }

    /// Times of one kind; none, if nothing was timed.
    pub fn times(&self, timing: Timing) -> std::borrow::Cow<'_, Times> {
        match self.times.get(&timing) {
            Some(times) => std::borrow::Cow::Borrowed(times),
            None => std::borrow::Cow::Owned(no_times()),
        }
    }

    /// All kinds of times that there are.
    pub fn all_times(&self) -> &BTreeMap<Timing, Times> {
        &self.times
    }

    /// The last step of a ladder before the first that failed.
    pub fn knee(&self) -> Option<&Step> {
        self.steps.iter().take_while(|step| step.worked).last()
    }

    /// Established connections, of those tried, in percent.
    pub fn connected_percent(&self) -> f64 {
        percent(self.counters.connects_ok, self.counters.connects_attempted)
    }

    /// Answered pings, in percent.
    pub fn pong_percent(&self) -> f64 {
        percent(self.counters.pongs_received, self.counters.pings_sent)
    }

    /// The measured time, in seconds: that of the worker with the longest.
    pub fn measured_seconds(&self) -> f64 {
        let longest = self.usage.iter().map(|usage| usage.measured_nanos).max().unwrap_or(0);
        longest as f64 / SECOND as f64
    }

    /// The largest share of the measured time that a worker was busy, in percent.
    pub fn busy_percent(&self) -> f64 {
        let share = |usage: &Usage| percent(usage.cpu_nanos, usage.measured_nanos);
        self.usage.iter().map(share).fold(0.0, f64::max)
    }

    /// The largest share of the measured time that a worker waited for a CPU, in percent.
    pub fn starved_percent(&self) -> f64 {
        let share = |usage: &Usage| percent(usage.wait_nanos, usage.measured_nanos);
        self.usage.iter().map(share).fold(0.0, f64::max)
    }

    /// What left late, in percent of what was due.
    pub fn late_percent(&self) -> f64 {
        percent(self.counters.late, self.counters.scheduled)
    }

    /// CPU time of this generator for each frame sent or received, in microseconds.
    pub fn cpu_us_per_frame(&self) -> Option<f64> {
        let cpu: u64 = self.usage.iter().map(|usage| usage.cpu_nanos).sum();
        let frames: u64 = self.usage.iter().map(|usage| usage.frames).sum();
        (frames > 0).then(|| cpu as f64 / 1000.0 / frames as f64)
    }

    /// This generator's own memory for each connection, in bytes, buffers of the kernel
    /// not counted.
    pub fn memory_per_connection(&self) -> Option<f64> {
        // Threads of one process share its memory: before the first, after the last.
        let mut processes: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
        for usage in &self.usage {
            let entry = processes.entry(usage.process).or_insert((usage.memory_before, 0, 0));
            entry.0 = entry.0.min(usage.memory_before);
            entry.1 = entry.1.max(usage.memory_after);
            entry.2 += u64::from(usage.memory_connections);
        }
        let bytes: u64 =
            processes.values().map(|(before, after, _)| after.saturating_sub(*before)).sum();
        let connections: u64 = processes.values().map(|(.., connections)| connections).sum();
        (connections >= 500 && bytes > 0).then(|| bytes as f64 / connections as f64)
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
