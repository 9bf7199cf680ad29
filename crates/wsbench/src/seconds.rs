//! The run, second by second, over all workers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::{Counters, Times, Timing, no_times};
use crate::slices::{Counts, Slice, Slices};
use crate::worker::{Merged, Second};

/// The most seconds that are kept: five and a half hours.
const ROWS_MAX: usize = 20_000;

/// One second of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Seconds since the beginning.
    pub second: u64,
    /// Connections that stand.
    pub live: u64,
    /// Connections that came to stand in it.
    pub connected: u64,
    /// Messages written in it.
    pub sent: u64,
    /// Deliveries in it.
    pub delivered: u64,
    /// Pongs in it.
    pub pongs: u64,
    /// Connections lost in it.
    pub disconnects: u64,
    /// Median and 99th percentile of connecting, in ms.
    pub connect_ms: Option<[f64; 2]>,
    /// Median and 99th percentile of pings, in ms.
    pub ping_ms: Option<[f64; 2]>,
    /// Median, 99th percentile and maximum of send to ack, in ms.
    pub ack_ms: Option<[f64; 3]>,
    /// Median, 99th percentile and maximum of end to end, in ms.
    pub e2e_ms: Option<[f64; 3]>,
    /// More of the same: what was timed in it, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub times_ms: BTreeMap<String, SecondTimes>,
    /// Errors in it, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Deliveries in it that were there before.
    #[serde(default)]
    pub duplicates: u64,
    /// Deliveries in it that came after a later message of the same sender.
    #[serde(default)]
    pub reordered: u64,
}

/// Times of one kind in one second, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondTimes {
    /// How many.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// 90 % took no longer.
    pub p90: f64,
    /// 99 % took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl SecondTimes {
    /// Of a histogram in microseconds.
    pub fn of(times: &Times) -> Self {
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        Self {
            count: times.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: times.max() as f64 / 1000.0,
        }
    }
}

/// The run so far.
#[derive(Debug)]
pub struct Seconds {
    rows: Vec<Row>,
    latest: Vec<Option<Second>>,
    before: Counters,
    errors_before: BTreeMap<String, u64>,
    faults_before: [u64; 2],
    pending: Vec<(Timing, Times)>,
    /// Everything timed so far.
    overall: BTreeMap<Timing, Times>,
    slices: Slices,
    current: u64,
    heard: usize,
}

impl Seconds {
    /// Nothing yet, of so many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            rows: Vec::new(),
            latest: vec![None; workers],
            before: Counters::default(),
            errors_before: BTreeMap::new(),
            faults_before: [0, 0],
            pending: Vec::new(),
            overall: BTreeMap::new(),
            slices: Slices::default(),
            current: 0,
            heard: 0,
        }
    }

    /// Takes a worker's second. True when a row is complete.
    pub fn add(&mut self, worker: usize, second: Second) -> bool {
        // A row ends with the first word about a later second; times that come late
        // count to the row after.
        let is_new = second.second > self.current;
        let complete = is_new && self.heard > 0;
        if complete {
            self.close_row();
        }
        if is_new {
            self.current = second.second;
        }
        for (timing, sparse) in &second.times {
            let place = self.pending.iter().position(|(known, _)| known == timing);
            let place = place.unwrap_or_else(|| {
                self.pending.push((*timing, no_times()));
                self.pending.len() - 1
            });
            sparse.add_to(&mut self.pending[place].1);
        }
        self.latest[worker] = Some(second);
        self.heard += 1;
        complete || self.latest.len() == 1
    }

    /// The rows, the one that is not complete included.
    pub fn finish(&mut self) -> &[Row] {
        if self.heard > 0 {
            self.close_row();
        }
        &self.rows
    }

    /// The rows that are complete.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Connections that stand.
    pub fn live(&self) -> u64 {
        self.latest.iter().flatten().map(|second| u64::from(second.live)).sum()
    }

    /// All counts so far.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        self.latest.iter().flatten().for_each(|second| counters.add(&second.counters));
        counters
    }

    /// All errors so far, by class.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for (class, count) in self.latest.iter().flatten().flat_map(|second| &second.errors) {
            *errors.entry(class.clone()).or_default() += count;
        }
        errors
    }

    /// Duplicates and reordered deliveries so far.
    pub fn faults(&self) -> [u64; 2] {
        self.latest.iter().flatten().fold([0, 0], |[duplicates, reordered], second| {
            [duplicates + second.duplicates, reordered + second.reordered]
        })
    }

    /// Everything timed so far, up to the last complete second.
    pub fn overall(&self) -> &BTreeMap<Timing, Times> {
        &self.overall
    }

    /// The run in slices.
    pub fn slices(&self) -> Vec<Slice> {
        self.slices.list()
    }

    /// What could be said if the run ended now. The ledger is settled at the end only, so
    /// of the deliveries there is what was sent, and what came twice or out of order.
    pub fn so_far(&self) -> Merged {
        let mut merged = Merged::default();
        merged.counters = self.counters();
        merged.errors = self.errors();
        merged.tally.sent = merged.counters.messages_sent;
        [merged.tally.duplicates, merged.tally.reordered] = self.faults();
        merged.set_times(self.overall.clone());
        merged
    }

    /// The last complete second.
    pub fn last(&self) -> Option<&Row> {
        self.rows.last()
    }

    fn close_row(&mut self) {
        let totals = self.counters();
        let summary = |timing: Timing| {
            let times = &self.pending.iter().find(|(known, _)| *known == timing)?.1;
            let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
            (!times.is_empty()).then(|| [at(0.5), at(0.99), times.max() as f64 / 1000.0])
        };
        let two = |three: [f64; 3]| [three[0], three[1]];
        let (errors, faults) = (self.errors(), self.faults());
        let known = |class: &String| self.errors_before.get(class).copied().unwrap_or(0);
        let before = &self.before;
        let row = Row {
            second: self.current,
            live: self.live(),
            connected: totals.connects_ok + totals.reconnects
                - (before.connects_ok + before.reconnects),
            sent: totals.messages_sent - before.messages_sent,
            delivered: totals.deliveries - before.deliveries,
            pongs: totals.pongs_received - before.pongs_received,
            disconnects: totals.disconnects - before.disconnects,
            connect_ms: summary(Timing::Connect).map(two),
            ping_ms: summary(Timing::Ping).map(two),
            ack_ms: summary(Timing::Ack),
            e2e_ms: summary(Timing::EndToEnd),
            times_ms: self
                .pending
                .iter()
                .filter(|(timing, times)| {
                    Timing::SECOND_BY_SECOND.contains(timing) && !times.is_empty()
                })
                .map(|(timing, times)| (timing.key().to_owned(), SecondTimes::of(times)))
                .collect(),
            errors: errors
                .iter()
                .map(|(class, count)| (class.clone(), count - known(class)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            duplicates: faults[0] - self.faults_before[0],
            reordered: faults[1] - self.faults_before[1],
        };
        let counts = Counts { sent: row.sent, delivered: row.delivered, pongs: row.pongs };
        self.slices.add(row.second, counts, &self.pending);
        for (timing, times) in &self.pending {
            let overall = self.overall.entry(*timing).or_insert_with(no_times);
            overall.add(times).expect("all histograms have the same bounds");
        }
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        }
        (self.before, self.errors_before, self.faults_before) = (totals, errors, faults);
        self.pending.clear();
        self.heard = 0;
    }
}
