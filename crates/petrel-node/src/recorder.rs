//! Samples the server's numbers for the plots of admins: the same that `/metrics` shows,
//! with rates and quantiles worked out over the time between two samples.

use std::collections::HashMap;
use std::sync::Arc;

use petrel_logic::administration::{History, SAMPLE_EVERY, Sample};
use petrel_types::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin_listener::Metrics;

/// What is shown as it is: name, and series of `/metrics`.
const LEVELS: &[(&str, &str)] = &[
    ("connections", "petrel_gateway_connections"),
    ("sessions", "petrel_gateway_sessions"),
    ("usersOnline", "petrel_gateway_users_online"),
    ("outboxBytes", "petrel_gateway_outbox_bytes"),
    ("commandsQueued", "petrel_log_commands_queued"),
    ("batchesQueued", "petrel_fanout_batches_queued"),
    ("fanoutWaiting", "petrel_gateway_fanout_waiting"),
    ("admissionWaiting", "petrel_admission_waiting"),
    ("walBytes", "petrel_store_wal_bytes"),
    ("residentBytes", "process_resident_memory_bytes"),
    ("openDescriptors", "process_open_fds"),
];

/// What is shown as so much a second.
const RATES: &[(&str, &str)] = &[
    ("framesReceivedPerSecond", "petrel_gateway_frames_received_total"),
    ("framesSentPerSecond", "petrel_gateway_frames_sent_total"),
    ("bytesReceivedPerSecond", "petrel_gateway_bytes_received_total"),
    ("bytesSentPerSecond", "petrel_gateway_bytes_sent_total"),
    ("pushesPerSecond", "petrel_gateway_pushes_total"),
    ("commandsPerSecond", "petrel_sequencer_commands_total"),
    ("acksPerSecond", "petrel_gateway_ack_seconds_count"),
    ("refusalsPerSecond", "petrel_gateway_refusals_total"),
    ("httpRequestsPerSecond", "petrel_http_requests_total"),
    ("commitsPerSecond", "petrel_store_commits_total"),
    ("cpuCores", "process_cpu_seconds_total"),
];

/// Of which histograms which quantiles are shown, in milliseconds.
const QUANTILES: &[(&str, &str, f64)] = &[
    ("ackMsP50", "petrel_gateway_ack_seconds", 0.5),
    ("ackMsP99", "petrel_gateway_ack_seconds", 0.99),
    ("syncMsP99", "petrel_store_sync_seconds", 0.99),
    ("readMsP99", "petrel_store_read_seconds", 0.99),
    ("httpMsP99", "petrel_http_request_seconds", 0.99),
];

/// The numbers of one moment: sums over labels, and the buckets of histograms.
#[derive(Debug, Default)]
struct Numbers {
    sums: HashMap<String, f64>,
    /// Upper bounds in seconds and cumulative counts, by histogram.
    buckets: HashMap<String, Vec<(f64, f64)>>,
}

/// Samples for ever.
pub(crate) async fn record(metrics: Arc<Metrics>, history: Arc<History>, clock: Arc<dyn Clock>) {
    let mut ticks = interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut before = Numbers::of(&metrics.text());
    let mut at = tokio::time::Instant::now();
    // At once, so that a page has something to show: rates are nought yet.
    history.push(sample(&before, &before, SAMPLE_EVERY.as_secs_f64()), clock.now());
    loop {
        ticks.tick().await;
        let now = Numbers::of(&metrics.text());
        let seconds = at.elapsed().as_secs_f64().max(0.001);
        at = tokio::time::Instant::now();
        history.push(sample(&before, &now, seconds), clock.now());
        before = now;
    }
}

fn sample(before: &Numbers, now: &Numbers, seconds: f64) -> Sample {
    let of = |numbers: &Numbers, series: &str| numbers.sums.get(series).copied().unwrap_or(0.0);
    let levels = LEVELS.iter().map(|(name, series)| (*name, Some(of(now, series))));
    let rate = |series: &str| (of(now, series) - of(before, series)).max(0.0) / seconds;
    let rates = RATES.iter().map(|(name, series)| (*name, Some(rate(series))));
    let quantiles = QUANTILES
        .iter()
        .map(|(name, histogram, quantile)| (*name, quantile_ms(before, now, histogram, *quantile)));
    levels.chain(rates).chain(quantiles).collect()
}

/// The upper bound of the bucket in which a quantile lies of what came between two moments;
/// `None` if nothing came. Of what is beyond all bounds the last bound is told.
fn quantile_ms(before: &Numbers, now: &Numbers, histogram: &str, quantile: f64) -> Option<f64> {
    let buckets = now.buckets.get(histogram)?;
    let earlier = before.buckets.get(histogram);
    let counts: Vec<_> = buckets
        .iter()
        .enumerate()
        .map(|(index, (bound, count))| {
            let earlier = earlier.and_then(|earlier| earlier.get(index)).map_or(0.0, |it| it.1);
            (*bound, count - earlier)
        })
        .collect();
    let all = counts.last().map_or(0.0, |(_, count)| *count);
    if all <= 0.0 {
        return None;
    }
    let mut finite = counts.iter().filter(|(bound, _)| bound.is_finite());
    let reached = finite.clone().find(|(_, count)| *count >= all * quantile);
    reached.or(finite.next_back()).map(|(bound, _)| bound * 1000.0)
}

impl Numbers {
    /// Reads the text that Prometheus is shown.
    fn of(text: &str) -> Self {
        let mut numbers = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let bound = labels.split_once("le=\"").and_then(|(_, rest)| rest.split_once('"'));
            match (name.strip_suffix("_bucket"), bound) {
                (Some(histogram), Some((bound, _))) => {
                    let bound = bound.parse().unwrap_or(f64::INFINITY);
                    numbers.buckets.entry(histogram.to_owned()).or_default().push((bound, value));
                }
                _ => *numbers.sums.entry(name.to_owned()).or_default() += value,
            }
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(count: u64, slow: u64) -> String {
        format!(
            "# HELP something\npetrel_gateway_connections 7\n\
             petrel_http_requests_total{{route=\"a\"}} {count}\n\
             petrel_http_requests_total{{route=\"b\"}} {count}\n\
             petrel_gateway_ack_seconds_bucket{{le=\"0.001\"}} {count}\n\
             petrel_gateway_ack_seconds_bucket{{le=\"0.01\"}} {}\n\
             petrel_gateway_ack_seconds_bucket{{le=\"+Inf\"}} {}\n",
            count + slow,
            count + slow
        )
    }

    #[test]
    fn rates_and_quantiles_are_of_the_time_between_two_samples() {
        let (before, now) = (Numbers::of(&text(100, 0)), Numbers::of(&text(200, 50)));
        let sample = sample(&before, &now, 5.0);
        assert_eq!(sample["connections"], Some(7.0));
        assert_eq!(sample["httpRequestsPerSecond"], Some(40.0));
        assert_eq!((sample["ackMsP50"], sample["ackMsP99"]), (Some(1.0), Some(10.0)));
        assert_eq!(sample["readMsP99"], None);
        assert_eq!(sample.len(), LEVELS.len() + RATES.len() + QUANTILES.len());
    }
}
