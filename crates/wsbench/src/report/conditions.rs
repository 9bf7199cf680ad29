//! Under which conditions the rates of a report were reached. A rate without them says
//! little: ten times as many messages are easy if each is a tenth, or if nothing waits for
//! the disk.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TimesSummary;
use crate::metrics::Timing;
use crate::plan::Plan;
use crate::worker::Merged;

/// Under which conditions the rates were reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    /// Bytes of a message's text.
    pub payload_bytes: u32,
    /// Connections that stood.
    pub connections: u64,
    /// Conversations that they were in; 0 if nobody sends.
    pub conversations: u32,
    /// Closed loop: the messages that each sender kept under way. None in an open loop.
    pub in_flight_per_sender: Option<u32>,
    /// Messages under way at a time, on average: the rate times the mean time until the
    /// answer, or until the delivery where nothing is answered (Little's law).
    pub in_flight_mean: Option<f64>,
    /// What 99 % of the server's fsyncs during the run did not exceed, in milliseconds, by
    /// its own metrics: the upper bound of a bucket. None if it doesn't say.
    pub fsync_p99_ms: Option<f64>,
}

impl Conditions {
    pub(super) fn of(
        plan: &Plan,
        merged: &Merged,
        times_ms: &BTreeMap<String, TimesSummary>,
        sent_per_second: f64,
    ) -> Self {
        let cast = plan.behaviour().cast;
        let until = if plan.abilities().acks { Timing::AckRaw } else { Timing::EndToEndRaw };
        let took_ms = times_ms.get(until.key()).map(|times| times.mean);
        Self {
            payload_bytes: plan.payload_size,
            connections: merged.counters.connects_ok,
            conversations: if cast.talks() { plan.conns / cast.unit() } else { 0 },
            in_flight_per_sender: plan.in_flight,
            in_flight_mean: took_ms.map(|ms| sent_per_second * ms / 1000.0),
            fsync_p99_ms: merged
                .server
                .as_ref()
                .and_then(|server| fsync_p99_ms(&server.metrics_p99)),
        }
    }

    /// Who decides when the next message is due, English and Chinese.
    pub(super) fn loop_in_words(&self, plan: &Plan) -> [String; 2] {
        match self.in_flight_per_sender {
            Some(depth) => [
                format!("closed loop, in flight per sender: {depth}"),
                format!("闭环，每发送者在途 {depth}"),
            ],
            None => {
                let arrival = format!("{:?}", plan.arrival).to_lowercase();
                [format!("open loop, {arrival}"), format!("开环，{arrival}")]
            }
        }
    }

    /// All of it in one line, English and Chinese.
    pub(super) fn in_words(&self, plan: &Plan) -> [String; 2] {
        let fsync = match self.fsync_p99_ms {
            Some(ms) => [format!("fsync p99 ≤ {ms} ms"), format!("fsync p99 ≤ {ms} ms")],
            None => ["fsync p99 unknown", "fsync p99 未知"].map(str::to_owned),
        };
        let mean = self.in_flight_mean.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.1}"));
        let [english, chinese] = self.loop_in_words(plan);
        let Self { payload_bytes, connections, conversations, .. } = self;
        [
            format!(
                "{payload_bytes} B, {connections} connections, {conversations} conversations, \
                 {mean} under way on average ({english}), {}",
                fsync[0]
            ),
            format!(
                "{payload_bytes} B，{connections} 连接，{conversations} 会话，\
                 平均在途 {mean}（{chinese}），{}",
                fsync[1]
            ),
        ]
    }
}

/// The slowest of the histograms that count fsyncs. Petrel's is `petrel_store_sync_seconds`;
/// others mostly say so in the name, as etcd does.
fn fsync_p99_ms(p99: &BTreeMap<String, f64>) -> Option<f64> {
    p99.iter()
        .filter_map(|(series, value)| {
            let name = series.split('{').next().unwrap_or_default();
            let factor = match name {
                _ if !name.contains("fsync") && !name.ends_with("store_sync_seconds") => None,
                _ if name.ends_with("_seconds") => Some(1000.0),
                _ if name.ends_with("_ms") || name.ends_with("_milliseconds") => Some(1.0),
                _ if name.ends_with("_us") || name.ends_with("_microseconds") => Some(0.001),
                _ => None,
            };
            Some(value * factor?)
        })
        .max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_fsyncs_are_found_in_milliseconds() {
        let p99 = |pages: &[(&str, f64)]| {
            let pages = pages.iter().map(|(name, value)| ((*name).to_owned(), *value));
            fsync_p99_ms(&pages.collect())
        };
        assert_eq!(
            p99(&[("petrel_store_sync_seconds", 0.004), ("petrel_sync_seconds", 9.0)]),
            Some(4.0)
        );
        assert_eq!(
            p99(&[("wal_fsync_duration_seconds{db=\"a\"}", 0.002), ("fsync_us", 500.0)]),
            Some(2.0)
        );
        assert_eq!(p99(&[("commit_seconds", 1.0), ("fsync_total", 7.0)]), None);
    }
}
