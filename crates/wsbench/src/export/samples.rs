//! The metrics of a run. The first names are those of the reference systems' guide, so
//! that their dashboards go on working.

use crate::metrics::{Times, Timing};
use crate::seconds::Seconds;
use crate::watch::Sample;

/// Upper bounds of the histograms' buckets, in milliseconds.
const BOUNDS_MS: [f64; 17] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0,
    10_000.0, 60_000.0,
];

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric with all its series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) series: Vec<Series>,
}

/// One value: what is appended to the metric's name, labels besides those of the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) suffix: &'static str,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: f64,
}

impl Series {
    fn plain(value: f64) -> Self {
        Self { suffix: "", labels: Vec::new(), value }
    }
}

/// Everything that there is.
pub(super) fn collect(wanted: u32, seconds: &Seconds, server: Option<Sample>) -> Vec<Metric> {
    let counters = seconds.counters();
    let [duplicates, reordered] = seconds.faults();
    let counts = [
        ("ws_connect_ok", "Connections that came to stand.", counters.connects_ok),
        ("ws_connect_fail", "Connections that did not come to stand.", counters.connects_failed),
        ("ws_auth_ok", "Logins that the server confirmed.", counters.logins_ok),
        ("ws_auth_fail", "Logins that the server refused.", counters.logins_failed),
        ("im_sent_total", "Messages that were written.", counters.messages_sent),
        (
            "im_recv_unique_total",
            "Deliveries, each message once at each recipient.",
            counters.deliveries,
        ),
        ("im_dup_total", "Deliveries of what the recipient already had.", duplicates),
        ("im_reorder_total", "Deliveries after a later message of the same sender.", reordered),
        ("wsbench_messages_due_total", "Messages that were due.", counters.messages_due),
        ("wsbench_late_total", "What left late by the generator's own fault.", counters.late),
        ("wsbench_scheduled_total", "What was due, as the base of late.", counters.scheduled),
        ("wsbench_disconnects_total", "Connections lost unasked.", counters.disconnects),
        ("wsbench_reconnects_total", "Connections that came back.", counters.reconnects),
        ("wsbench_pings_total", "Pings sent.", counters.pings_sent),
        ("wsbench_pongs_total", "Pings answered.", counters.pongs_received),
        ("wsbench_bytes_sent_total", "Bytes sent.", counters.bytes_sent),
        ("wsbench_bytes_received_total", "Bytes received.", counters.bytes_received),
    ];
    let mut metrics: Vec<Metric> =
        counts.into_iter().map(|(name, help, count)| counter(name, help, count)).collect();
    for (name, help, timing) in [
        ("ws_pong_rtt_ms", "From when a ping was due to its pong, in ms.", Timing::Ping),
        (
            "im_e2e_latency_ms",
            "From when a message was due to its delivery, in ms.",
            Timing::EndToEnd,
        ),
        ("wsbench_ack_latency_ms", "From when a message was due to its ack, in ms.", Timing::Ack),
        (
            "wsbench_connect_latency_ms",
            "From when a connection was due to its upgrade, in ms.",
            Timing::Connect,
        ),
    ] {
        let series = histogram(seconds.overall().get(&timing));
        metrics.push(Metric { name, help, kind: Kind::Histogram, series });
    }
    let errors = seconds.errors().into_iter().map(|(class, count)| Series {
        labels: vec![("class", class)],
        ..Series::plain(count as f64)
    });
    metrics.push(Metric {
        name: "wsbench_errors_total",
        help: "Errors by class.",
        kind: Kind::Counter,
        series: errors.collect(),
    });
    let mut gauge = |name, help, value| {
        metrics.push(Metric { name, help, kind: Kind::Gauge, series: vec![Series::plain(value)] });
    };
    gauge("wsbench_connections", "Connections that stand.", seconds.live() as f64);
    gauge("wsbench_connections_wanted", "Connections of the plan.", f64::from(wanted));
    if let Some(server) = server {
        let help = "Resident memory of the server's process, if it is on this machine.";
        gauge("wsbench_server_memory_bytes", help, server.memory as f64);
        metrics.push(Metric {
            name: "wsbench_server_cpu_seconds_total",
            help: "CPU time of the server's process, if it is on this machine.",
            kind: Kind::Counter,
            series: vec![Series::plain(server.cpu as f64 / 1e9)],
        });
    }
    metrics
}

fn counter(name: &'static str, help: &'static str, count: u64) -> Metric {
    Metric { name, help, kind: Kind::Counter, series: vec![Series::plain(count as f64)] }
}

/// The series of a histogram in the form of Prometheus: for each bound what was at most
/// that, then the sum and the count.
fn histogram(times: Option<&Times>) -> Vec<Series> {
    let mut counts = [0_u64; BOUNDS_MS.len()];
    let (mut sum, mut all) = (0.0, 0);
    for bucket in times.into_iter().flat_map(|times| times.iter_recorded()) {
        let (ms, count) = (bucket.value_iterated_to() as f64 / 1000.0, bucket.count_at_value());
        sum += ms * count as f64;
        all += count;
        let place = BOUNDS_MS.iter().position(|bound| ms <= *bound);
        if let Some(place) = place {
            counts[place] += count;
        }
    }
    let mut below = 0;
    let bounds = BOUNDS_MS.iter().zip(counts).map(|(bound, count)| {
        below += count;
        (bound.to_string(), below)
    });
    let bounds: Vec<_> = bounds.collect();
    bounds
        .into_iter()
        .chain([("+Inf".to_owned(), all)])
        .map(|(bound, count)| Series {
            suffix: "_bucket",
            labels: vec![("le", bound)],
            value: count as f64,
        })
        .chain([
            Series { suffix: "_sum", ..Series::plain(sum) },
            Series { suffix: "_count", ..Series::plain(all as f64) },
        ])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::no_times;

    #[test]
    fn buckets_hold_what_was_at_most_their_bound() {
        let mut times = no_times();
        for us in [100, 101, 1_000, 40_000, 90_000_000] {
            times.record(us).unwrap();
        }
        let series = histogram(Some(&times));
        let at = |bound: &str| {
            series.iter().find(|one| one.labels == [("le", bound.to_owned())]).unwrap().value
        };
        assert_eq!(
            ["0.1", "0.2", "1", "50", "60000", "+Inf"].map(at),
            [1.0, 2.0, 3.0, 4.0, 4.0, 5.0]
        );
        assert_eq!(series.last().map(|one| (one.suffix, one.value)), Some(("_count", 5.0)));
        let sum = series[series.len() - 2].value;
        assert!((sum - 90_041.201).abs() < 90.0, "{sum}");
    }
}
