//! The run, second by second, over all workers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::{Counters, Times, Timing, no_times};
use crate::worker::Second;

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
}

/// The run so far.
#[derive(Debug)]
pub struct Seconds {
    rows: Vec<Row>,
    latest: Vec<Option<Second>>,
    before: Counters,
    pending: Vec<(Timing, Times)>,
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
            pending: Vec::new(),
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
        };
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        }
        self.before = totals;
        self.pending.clear();
        self.heard = 0;
    }
}
