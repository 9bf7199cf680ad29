//! What stays of calls, until it is stored.
//!
//! A record is sent to the sequencer like a message of the caller, again and again under
//! the same name until it is stored: so it is stored once. The name is made here and known
//! to nobody before, because whoever knew it could use it up for a message, and leave no
//! trace of the call. Between the same two users, records are stored in the order in which
//! the calls ended. What is lost when the process is killed is said in
//! docs/decisions/0016-calls.md.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use petrel_log::{Content, Destination, SendRequest};
use petrel_protocol::frame::CallRecord;
use petrel_types::ClientMessageId;
use tokio::sync::Notify;

use super::frames::{is_passing, milliseconds};
use super::{Metrics, Outcome, Record};
use crate::requester::Requester;

/// How many records wait to be stored. More can only come together while the store refuses
/// everything, and then the newest are lost.
const WAITING_MAX: usize = 16 * 1024;

/// How many are sent at once, so that a commit takes many: all calls of a node end at once
/// when it stops.
const AT_ONCE_MAX: usize = 256;

/// How long to wait before records are sent again that could not be stored.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long a node that stops waits for records to be stored.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Records of calls that are not stored yet.
pub(super) struct Records {
    requester: Arc<Requester>,
    waiting: Mutex<VecDeque<Waiting>>,
    /// There is one more.
    came: Notify,
    /// There are none.
    stored: Notify,
    metrics: Metrics,
}

#[derive(Clone)]
struct Waiting {
    /// The name of the message.
    name: ClientMessageId,
    record: Record,
}

impl Records {
    pub(super) fn new(requester: Arc<Requester>, metrics: Metrics) -> Self {
        let (came, stored) = (Notify::new(), Notify::new());
        Self { requester, waiting: Mutex::default(), came, stored, metrics }
    }

    /// Takes records, to be stored after those before.
    pub(super) fn keep(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        for record in records {
            match new_name() {
                Some(name) if waiting.len() < WAITING_MAX => {
                    waiting.push_back(Waiting { name, record });
                }
                Some(_) => {
                    tracing::error!("too many records of calls wait to be stored; one is lost");
                }
                None => {}
            }
        }
        self.came.notify_one();
    }

    /// Stores what comes, for ever.
    pub(super) async fn store(&self) {
        loop {
            let next = self.next();
            if next.is_empty() {
                self.stored.notify_waiters();
                self.came.notified().await;
                continue;
            }
            let is_done = join_all(next.iter().map(|waiting| self.send(waiting))).await;
            let again: Vec<_> = next
                .iter()
                .zip(&is_done)
                .filter(|(_, is_done)| !**is_done)
                .map(|(waiting, _)| waiting.clone())
                .collect();
            let is_stuck = !again.is_empty();
            {
                // Whoever else is at it only adds behind.
                let mut waiting = self.waiting();
                waiting.drain(..next.len());
                again.into_iter().rev().for_each(|it| waiting.push_front(it));
            }
            if is_stuck {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Waits until all are stored, but not for ever.
    pub(super) async fn finish(&self) {
        let all_stored = async {
            loop {
                let stored = self.stored.notified();
                if self.waiting().is_empty() {
                    return;
                }
                stored.await;
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, all_stored).await.is_err() {
            let left = self.waiting().len();
            tracing::error!(left, "records of calls could not be stored in time and are lost");
        }
    }

    /// What is sent next: of the same two users one at a time.
    fn next(&self) -> Vec<Waiting> {
        let mut pairs = HashSet::new();
        let waiting = self.waiting();
        let next = waiting.iter().take(AT_ONCE_MAX).take_while(|waiting| {
            let (one, other) = (waiting.record.caller, waiting.record.callee);
            pairs.insert((one.min(other), one.max(other)))
        });
        next.cloned().collect()
    }

    /// Sends a record, and says whether that is done with.
    async fn send(&self, Waiting { name, record }: &Waiting) -> bool {
        #[cfg(feature = "mutants")]
        let renamed = new_name().filter(|_| petrel_store::mutants::is("call-recorded-twice"));
        #[cfg(feature = "mutants")]
        let name = renamed.as_ref().unwrap_or(name);
        match self.requester.send(record.caller, message_of(name, record)).await {
            Ok(_) => self.metrics.recorded(record.outcome),
            Err(refusal) if is_passing(refusal.reason) => {
                tracing::warn!(%refusal, "the record of a call could not be stored; it will be sent again");
                return false;
            }
            Err(refusal) => {
                tracing::error!(%refusal, call = record.call.as_str(), "the record of a call was refused");
            }
        }
        true
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 128 random bits.
fn new_name() -> Option<ClientMessageId> {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "the system gives no randomness; the record of a call is lost");
        return None;
    }
    let name = format!("call-{:032x}", u128::from_be_bytes(bytes));
    Some(ClientMessageId::new(name).expect("some letters and digits"))
}

/// The command that writes a record down, the same however often it is made.
fn message_of(name: &ClientMessageId, record: &Record) -> SendRequest {
    let Record { call, callee, media, outcome, .. } = record;
    let content = Content::Call(CallRecord {
        call_id: call.clone(),
        media: *media,
        outcome: outcome.on_the_wire(),
        duration_ms: match outcome {
            Outcome::Talked(duration) => Some(milliseconds(*duration)),
            _ => None,
        },
    });
    SendRequest {
        to: Destination::User(*callee),
        client_message_id: name.clone(),
        content,
        retry: true,
        first_sent: None,
    }
}
