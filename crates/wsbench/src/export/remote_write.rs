//! Prometheus remote write, version 1.0: protobuf, packed with snappy, over HTTP.
//!
//! What is to be sent waits in a bounded queue for a thread of its own, so that a receiver
//! that is slow or away costs the run nothing. When the queue is full the oldest is given
//! up: later values of counters hold the earlier ones. What could not be sent is told at
//! the end; it never fails a run.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine;
use prost::Message;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::samples::Metric;

/// Seconds that may wait, at most.
const QUEUE_MAX: usize = 120;
/// Seconds that are sent together, at most.
const BATCH_MAX: usize = 10;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after a failure until the next attempt; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest of these.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long the end of a run waits for what is still to be sent.
const FINISH: Duration = Duration::from_secs(5);

/// The messages of the protocol, as far as they are needed: `prometheus.WriteRequest`,
/// from prompb/remote.proto and prompb/types.proto of Prometheus.
#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp_ms: i64,
}

/// Where to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Without the password.
    url: String,
    /// Of `https://user:password@host/…`.
    authorization: Option<String>,
}

impl std::str::FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not an address; write http://HOST:PORT/api/v1/write or https://…")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        if !matches!(scheme, "http" | "https") || rest.is_empty() {
            return Err(wrong());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (user, host) = match rest[..end].rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, &rest[..end]),
        };
        let authorization = user.map(|user| {
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(user))
        });
        Ok(Self { url: format!("{scheme}://{host}{}", &rest[end..]), authorization })
    }
}

/// What one second looked like, ready to be sent.
type Snapshot = Vec<TimeSeries>;

#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<Snapshot>>,
    something: Condvar,
}

/// What became of what was to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Account {
    sent: u64,
    given_up: u64,
    /// Why, the first time.
    reason: Option<String>,
}

/// Somebody who sends.
pub struct RemoteWrite {
    queue: Arc<Queue>,
    stop: SyncSender<()>,
    account: Arc<Mutex<Account>>,
    sender: Option<JoinHandle<()>>,
}

impl RemoteWrite {
    /// Starts. Nothing is sent before [`RemoteWrite::send`].
    pub fn start(destination: &Destination) -> Result<Self, String> {
        let agent = agent(destination);
        let (queue, account) =
            (Arc::new(Queue::default()), Arc::new(Mutex::new(Account::default())));
        let (stop, stopped) = sync_channel(1);
        let shared = Shared {
            agent,
            destination: destination.clone(),
            queue: queue.clone(),
            account: account.clone(),
            stopped,
        };
        let sender = thread::Builder::new()
            .name("remote-write".to_owned())
            .spawn(move || shared.run())
            .map_err(|error| {
                format!("can't start the sender of --prometheus-remote-write: {error}")
            })?;
        Ok(Self { queue, stop, account, sender: Some(sender) })
    }

    /// Queues what there is now. Returns at once.
    pub(super) fn send(&self, metrics: &[Metric], labels: &[(String, String)], now_ms: u64) {
        let snapshot = snapshot(metrics, labels, now_ms);
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= QUEUE_MAX {
            waiting.pop_front();
            let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
            account.given_up += 1;
            account.reason.get_or_insert_with(|| "the receiver is too slow".to_owned());
        }
        waiting.push_back(snapshot);
        self.queue.something.notify_one();
    }

    /// Waits a little for what is still to be sent, and says what could not be.
    pub fn finish(mut self) -> Option<String> {
        // The sender may be at its end already.
        let _ = self.stop.try_send(());
        self.queue.something.notify_one();
        if let Some(sender) = self.sender.take() {
            // It ends by itself within FINISH and one request.
            let _ = sender.join();
        }
        let account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting =
            self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let lost = account.given_up + waiting;
        (lost > 0).then(|| {
            let reason = account.reason.as_deref().unwrap_or("there was no time");
            format!(
                "remote write: {lost} of {} seconds could not be sent: {reason}",
                lost + account.sent
            )
        })
    }
}

impl Drop for RemoteWrite {
    fn drop(&mut self) {
        // As in `finish`, without waiting.
        let _ = self.stop.try_send(());
        self.queue.something.notify_one();
    }
}

fn agent(destination: &Destination) -> ureq::Agent {
    let mut config =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    if destination.url.starts_with("https://") {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> =
            found.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        config = config.tls_config(
            TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .root_certs(RootCerts::new_with_certs(&roots))
                .unversioned_rustls_crypto_provider(crypto)
                .build(),
        );
    }
    config.build().into()
}

/// What the sending thread has.
struct Shared {
    agent: ureq::Agent,
    destination: Destination,
    queue: Arc<Queue>,
    account: Arc<Mutex<Account>>,
    stopped: Receiver<()>,
}

impl Shared {
    fn run(self) {
        let mut pause = PAUSE;
        let mut until: Option<Instant> = None;
        loop {
            if until.is_none()
                && self.stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty)
            {
                until = Some(Instant::now() + FINISH);
            }
            let batch = self.take(until.is_some());
            if batch.is_empty() {
                if until.is_some() {
                    return;
                }
                continue;
            }
            match self.post(&batch) {
                Ok(()) => {
                    self.account().sent += batch.len() as u64;
                    pause = PAUSE;
                }
                Err(Refusal { is_final: true, reason }) => self.give_up(batch.len(), reason),
                Err(Refusal { is_final: false, reason }) => {
                    if until.is_some_and(|until| Instant::now() + pause > until) {
                        return self.give_up(batch.len(), reason);
                    }
                    self.account().reason.get_or_insert(reason);
                    self.put_back(batch);
                    // Ends early when the run does, to try once more.
                    if until.is_none()
                        && self.stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout)
                    {
                        until = Some(Instant::now() + FINISH);
                    } else if until.is_some() {
                        thread::sleep(pause);
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    fn account(&self) -> std::sync::MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self, count: usize, reason: String) {
        let mut account = self.account();
        account.given_up += count as u64;
        account.reason.get_or_insert(reason);
    }

    /// What waits, oldest first; waits for it, unless the run is over.
    fn take(&self, is_over: bool) -> Vec<Snapshot> {
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() && !is_over {
            let woken = self.queue.something.wait_timeout(waiting, PATIENCE);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = waiting.len().min(BATCH_MAX);
        waiting.drain(..count).collect()
    }

    fn put_back(&self, batch: Vec<Snapshot>) {
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for snapshot in batch.into_iter().rev() {
            waiting.push_front(snapshot);
        }
        // What came meanwhile is newer.
        while waiting.len() > QUEUE_MAX {
            waiting.pop_front();
            self.account().given_up += 1;
        }
    }

    fn post(&self, batch: &[Snapshot]) -> Result<(), Refusal> {
        let timeseries = batch.iter().flatten().cloned().collect();
        let plain = WriteRequest { timeseries }.encode_to_vec();
        let packed = snap::raw::Encoder::new()
            .compress_vec(&plain)
            .map_err(|error| Refusal { is_final: true, reason: error.to_string() })?;
        let mut request = self
            .agent
            .post(&self.destination.url)
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .header("User-Agent", concat!("wsbench/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.destination.authorization {
            request = request.header("Authorization", authorization);
        }
        let url = &self.destination.url;
        let answer = request
            .send(&packed[..])
            .map_err(|error| Refusal { is_final: false, reason: format!("{url}: {error}") })?;
        match answer.status().as_u16() {
            200..300 => Ok(()),
            // As the protocol has it: what the receiver can't take it will never take.
            status => Err(Refusal {
                is_final: status < 500 && status != 429,
                reason: format!("{url} answered with status {status}"),
            }),
        }
    }
}

/// Why something was not taken.
struct Refusal {
    /// It never will be.
    is_final: bool,
    reason: String,
}

/// Every series with its one value. Labels are in the order of their names, as the protocol
/// wants it.
fn snapshot(metrics: &[Metric], labels: &[(String, String)], now_ms: u64) -> Snapshot {
    let timestamp_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let series =
        metrics.iter().flat_map(|metric| metric.series.iter().map(move |one| (metric, one)));
    series
        .map(|(metric, series)| {
            let label =
                |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
            let mut all = vec![label("__name__", &format!("{}{}", metric.name, series.suffix))];
            all.extend(labels.iter().map(|(name, value)| label(name, value)));
            all.extend(series.labels.iter().map(|(name, value)| label(name, value)));
            all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            TimeSeries { labels: all, samples: vec![Value { value: series.value, timestamp_ms }] }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_becomes_a_header_and_leaves_the_address() {
        let with = "https://me:s3cret@h:9/api/push?x=1".parse::<Destination>().unwrap();
        assert_eq!(with.url, "https://h:9/api/push?x=1");
        assert_eq!(with.authorization.as_deref(), Some("Basic bWU6czNjcmV0"));
        let without = "http://h:9/api/v1/write".parse::<Destination>().unwrap();
        assert_eq!(
            (without.url.as_str(), without.authorization),
            ("http://h:9/api/v1/write", None)
        );
        for wrong in ["h:9", "ftp://h/", "http://"] {
            assert!(wrong.parse::<Destination>().is_err(), "{wrong}");
        }
    }
}
