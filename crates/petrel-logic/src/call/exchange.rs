//! Calls as users make them: authorised, bounded in pace, brought to their devices, and
//! written down.
//!
//! The [`Switchboard`] knows what may become of a call; here is who may call whom, and what
//! both are told in frames. What follows from an event is given to the sessions while the
//! switchboard is locked, so that all of them hear of it in one order; giving is a push into
//! an outbox, and never waits.
//!
//! The record of a call is sent to the sequencer like a message of the caller, under the
//! call's own name, again and again until it is stored: so it is stored once. Until then it
//! waits here, in the order in which calls ended. What is lost when the process is killed is
//! said in docs/decisions/0016-calls.md.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use petrel_log::{Content, Destination, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    CallAnswer, CallIce, CallOffer, CallPhase, CallRecord, CallRing, CallState, ServerFrame,
};
use petrel_store::{Store, StoreError};
use petrel_types::{ClientMessageId, UserId};
use tokio::sync::Notify;

use super::{
    Audience, Happened, Metrics, Offer, Outcome, Party, Record, Refused, Signal, Switchboard, What,
};
use crate::Refusal;
use crate::pair::Pair;
use crate::requester::Requester;
use crate::sequencer::{Affected, Rules};

/// How many calls somebody may begin at once, and how long it takes until there is room for
/// one more: each may ring on all devices of a stranger.
const OFFERS_BURST: u32 = 10;
const OFFER_INTERVAL: Duration = Duration::from_secs(6);

/// How many candidates somebody may send at once, and how many a second then. A browser has
/// some 20 for each call, and again when its network changes.
const CANDIDATES_BURST: u32 = 256;
const CANDIDATE_INTERVAL: Duration = Duration::from_millis(50);

/// How many users' offers and candidates are remembered. Who is forgotten, because so many
/// others called, begins anew.
const USERS_REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("not zero");

/// How many records wait to be stored. More can only come together while the store refuses
/// everything, and then the newest are lost.
const RECORDS_WAITING_MAX: usize = 16 * 1024;

/// How long to wait before a record is sent again that could not be stored.
const RECORD_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long a node that stops waits for records to be stored.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// All calls of a node.
pub struct Exchange {
    store: Arc<dyn Store>,
    requester: Arc<Requester>,
    rules: Rules,
    board: Mutex<Board>,
    /// There is another next deadline.
    rescheduled: Notify,
    records: Mutex<VecDeque<Record>>,
    /// There is a record to store.
    recorded: Notify,
    /// A record was stored.
    stored: Notify,
    pace: Mutex<Paces>,
    metrics: Metrics,
}

struct Board {
    switchboard: Switchboard,
    /// Pairs of users who were something else to each other before.
    doubted: Vec<(UserId, UserId)>,
    /// Rises with each commit that changes what users are to each other.
    changes: u64,
    stopped: bool,
}

struct Paces {
    begin: Instant,
    offers: LruCache<UserId, Duration>,
    candidates: LruCache<UserId, Duration>,
}

/// Where frames go.
pub trait Ringing: Sync {
    /// A frame for some sessions, now. Does not wait.
    fn ring(&self, to: Audience, frame: &ServerFrame);
}

impl Exchange {
    /// An exchange without calls.
    pub fn new(
        store: Arc<dyn Store>,
        requester: Arc<Requester>,
        rules: Rules,
        metrics: Metrics,
    ) -> Self {
        let (switchboard, doubted) = (Switchboard::default(), Vec::new());
        let board = Board { switchboard, doubted, changes: 0, stopped: false };
        let pace = Paces {
            begin: Instant::now(),
            offers: LruCache::new(USERS_REMEMBERED_MAX),
            candidates: LruCache::new(USERS_REMEMBERED_MAX),
        };
        Self {
            store,
            requester,
            rules,
            board: Mutex::new(board),
            rescheduled: Notify::new(),
            records: Mutex::default(),
            recorded: Notify::new(),
            stored: Notify::new(),
            pace: Mutex::new(pace),
            metrics,
        }
    }

    /// Somebody calls. It rings at once, if the two may chat with each other.
    pub async fn offer(
        &self,
        caller: Party,
        frame: CallOffer,
        ringing: &impl Ringing,
    ) -> Result<CallState, Refusal> {
        let CallOffer { call_id, to, media, sdp } = frame;
        check_description(&sdp)?;
        self.count(caller.user, Counted::Offer)?;
        let offer =
            Offer { call: call_id.clone(), caller, callee: to, media, description: sdp.into() };
        loop {
            let changes = self.board().changes;
            self.check_reach(caller.user, to).await?;
            let mut board = self.board();
            if board.stopped {
                return Err(Refusal::new(ErrorReason::ServerBusy, "the server is going down"));
            }
            // What was found is of the past, if somebody has blocked somebody since.
            if board.changes != changes {
                continue;
            }
            let happened = board.switchboard.offer(offer, now());
            self.follow(board, happened, ringing)?;
            self.metrics.offers.inc();
            return Ok(CallState { call_id, state: CallPhase::Ringing, reason: None });
        }
    }

    /// The callee takes a call.
    pub fn answer(
        &self,
        by: Party,
        frame: CallAnswer,
        ringing: &impl Ringing,
    ) -> Result<CallState, Refusal> {
        let CallAnswer { call_id, sdp } = frame;
        check_description(&sdp)?;
        let mut board = self.board();
        let happened = board.switchboard.answer(&call_id, by, sdp.into(), now());
        self.follow(board, happened, ringing)?;
        Ok(CallState { call_id, state: CallPhase::Answered, reason: None })
    }

    /// A way to reach one side.
    pub fn candidate(
        &self,
        from: Party,
        frame: CallIce,
        ringing: &impl Ringing,
    ) -> Result<(), Refusal> {
        let CallIce { call_id, candidate } = frame;
        check_text("candidate", &candidate)?;
        self.count(from.user, Counted::Candidate)?;
        let mut board = self.board();
        let happened = board.switchboard.candidate(&call_id, from, candidate.into());
        self.follow(board, happened, ringing)
    }

    /// One side hangs up.
    pub fn hang_up(
        &self,
        by: Party,
        call_id: ClientMessageId,
        ringing: &impl Ringing,
    ) -> Result<CallState, Refusal> {
        let mut board = self.board();
        let happened = board.switchboard.hang_up(&call_id, by, now());
        self.over_for(board, call_id, happened, ringing)
    }

    /// The callee does not want to.
    pub fn reject(
        &self,
        by: Party,
        call_id: ClientMessageId,
        ringing: &impl Ringing,
    ) -> Result<CallState, Refusal> {
        let mut board = self.board();
        let happened = board.switchboard.reject(&call_id, by);
        self.over_for(board, call_id, happened, ringing)
    }

    /// A device has come, and can be rung. To be called when pushes reach it.
    pub fn device_came(&self, device: Party, ringing: &impl Ringing) {
        let board = self.board();
        let signals = board.switchboard.device_came(device, now());
        tell(signals, ringing);
    }

    /// A device is gone.
    pub fn device_gone(&self, device: Party, ringing: &impl Ringing) {
        let mut board = self.board();
        if board.switchboard.is_empty() {
            return;
        }
        let happened = board.switchboard.device_gone(device, now());
        let _ = self.follow(board, Ok(happened), ringing);
    }

    /// Somebody is something else to others: calls across a block end.
    pub fn affected(&self, affected: &Affected) {
        if affected.pairs.is_empty() {
            return;
        }
        let mut board = self.board();
        board.changes += 1;
        let Board { switchboard, doubted, .. } = &mut *board;
        let in_call = |pair: &&(UserId, UserId)| switchboard.are_in_call(pair.0, pair.1);
        doubted.extend(affected.pairs.iter().filter(in_call));
        if !doubted.is_empty() {
            self.rescheduled.notify_one();
        }
    }

    /// Ends what has rung for too long, and what must not go on, for ever.
    pub async fn run(&self, ringing: &impl Ringing) {
        loop {
            let due = self.board().switchboard.next_deadline();
            tokio::select! {
                () = self.rescheduled.notified() => {}
                () = sleep_until(due) => {}
            }
            let mut board = self.board();
            let doubted = std::mem::take(&mut board.doubted);
            let happened = board.switchboard.expire(now());
            let _ = self.follow(board, Ok(happened), ringing);
            for (one, other) in doubted {
                let blocker = match self.check_reach(one, other).await {
                    Err(refusal) if refusal.reason == ErrorReason::BlockedByYou => one,
                    Err(refusal) if refusal.reason == ErrorReason::NotReachable => other,
                    _ => continue,
                };
                let blocked = if blocker == one { other } else { one };
                let mut board = self.board();
                let happened = board.switchboard.part(blocker, blocked, now());
                let _ = self.follow(board, Ok(happened), ringing);
            }
        }
    }

    /// Stores the records of calls, for ever.
    pub async fn record(&self) {
        loop {
            let next = self.records().front().cloned();
            let Some(record) = next else {
                self.stored.notify_waiters();
                self.recorded.notified().await;
                continue;
            };
            match self.requester.send(record.caller, message_of(&record)).await {
                Ok(_) => self.metrics.recorded(record.outcome),
                Err(refusal) if is_passing(refusal.reason) => {
                    tracing::warn!(%refusal, "the record of a call could not be stored; it will be sent again");
                    tokio::time::sleep(RECORD_AGAIN_AFTER).await;
                    continue;
                }
                Err(refusal) => {
                    tracing::error!(%refusal, call = record.call.as_str(), "the record of a call was refused");
                }
            }
            self.records().pop_front();
        }
    }

    /// Ends every call, because the node stops, and takes no more.
    pub fn stop(&self, ringing: &impl Ringing) {
        let mut board = self.board();
        board.stopped = true;
        let happened = board.switchboard.stop(now());
        let _ = self.follow(board, Ok(happened), ringing);
    }

    /// Waits until all records are stored, but not for ever.
    pub async fn finish(&self) {
        let all_stored = async {
            loop {
                let stored = self.stored.notified();
                if self.records().is_empty() {
                    return;
                }
                stored.await;
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, all_stored).await.is_err() {
            let left = self.records().len();
            tracing::warn!(left, "records of calls could not be stored in time and are lost");
        }
    }

    /// Refuses a call where a message would be refused.
    async fn check_reach(&self, caller: UserId, callee: UserId) -> Result<(), Refusal> {
        if caller == callee {
            return Err(Refused::Oneself.into());
        }
        let exists = match callee.is_local() {
            true => {
                self.rules.unstored_local_users
                    || self.store.has_user(callee).await.map_err(of_store)?
            }
            false => self.rules.external_users && callee.get() > 0,
        };
        if !exists {
            let message = format!("there is no user {callee}");
            return Err(Refusal::new(ErrorReason::UserNotFound, message));
        }
        let relations = self.store.relations(caller, &[callee]).await.map_err(of_store)?;
        let stored = relations.into_iter().next().unwrap_or_default();
        let pair = Pair::decode(&stored.pair).map_err(of_store)?;
        pair.check_reach(caller, callee)?;
        if self.rules.chats_need_friendship && !pair.are_friends() {
            let message = format!("only friends can call each other here: apply to {callee} first");
            return Err(Refusal::new(ErrorReason::NotFriends, message));
        }
        Ok(())
    }

    /// Tells everybody what has happened, and keeps what is to be written down.
    fn follow(
        &self,
        board: MutexGuard<'_, Board>,
        happened: Result<Happened, Refused>,
        ringing: &impl Ringing,
    ) -> Result<(), Refusal> {
        let (records, refused) = match happened {
            Ok(Happened { signals, records }) => {
                if !signals.is_empty() {
                    self.rescheduled.notify_one();
                }
                tell(signals, ringing);
                (records, None)
            }
            Err(Refused::Busy(record)) => (vec![record.clone()], Some(Refused::Busy(record))),
            Err(refused) => (Vec::new(), Some(refused)),
        };
        self.metrics.under_way.set(i64::try_from(board.switchboard.len()).unwrap_or(i64::MAX));
        // In the order in which calls ended.
        self.keep(records);
        drop(board);
        refused.map_or(Ok(()), |refused| Err(refused.into()))
    }

    fn over_for(
        &self,
        board: MutexGuard<'_, Board>,
        call_id: ClientMessageId,
        happened: Result<Happened, Refused>,
        ringing: &impl Ringing,
    ) -> Result<CallState, Refusal> {
        let reason = happened.as_ref().ok().and_then(|happened| {
            happened.signals.iter().find_map(|signal| match &signal.what {
                What::Over(reason) => Some(*reason),
                _ => None,
            })
        });
        self.follow(board, happened, ringing)?;
        Ok(CallState { call_id, state: CallPhase::Ended, reason })
    }

    fn keep(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let mut waiting = self.records();
        for record in records {
            if waiting.len() < RECORDS_WAITING_MAX {
                waiting.push_back(record);
            } else {
                tracing::error!("too many records of calls wait to be stored; one is lost");
            }
        }
        self.recorded.notify_one();
    }

    /// Whether somebody may send another candidate now. Those who may are not held up for it.
    pub fn has_room_for_candidate(&self, user: UserId) -> bool {
        let paces = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = paces.begin.elapsed();
        let paid = paces.candidates.peek(&user).copied().unwrap_or_default();
        paid.max(elapsed) + CANDIDATE_INTERVAL <= elapsed + CANDIDATES_BURST * CANDIDATE_INTERVAL
    }

    /// Counts what somebody does, and refuses it if it was too much of late.
    fn count(&self, user: UserId, what: Counted) -> Result<(), Refusal> {
        let mut paces = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = paces.begin.elapsed();
        let (paid, burst, interval) = match what {
            Counted::Offer => (&mut paces.offers, OFFERS_BURST, OFFER_INTERVAL),
            Counted::Candidate => (&mut paces.candidates, CANDIDATES_BURST, CANDIDATE_INTERVAL),
        };
        let until = paid.get(&user).copied().unwrap_or_default().max(elapsed) + interval;
        let most = elapsed + burst * interval;
        if until > most {
            self.metrics.too_many.inc();
            let wait_ms = u64::try_from((until - most).as_millis()).unwrap_or(u64::MAX);
            let message = "that was too often of late; wait a little";
            return Err(
                Refusal::new(ErrorReason::TooManyRequests, message).retry_after(wait_ms.max(1))
            );
        }
        paid.put(user, until);
        Ok(())
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is counted.
#[derive(Clone, Copy)]
enum Counted {
    Offer,
    Candidate,
}

fn tell(signals: Vec<Signal>, ringing: &impl Ringing) {
    for Signal { call, to, what } in signals {
        ringing.ring(to, &frame_of(call, what));
    }
}

fn frame_of(call_id: ClientMessageId, what: What) -> ServerFrame {
    match what {
        What::Ring { caller, media, description, remaining } => ServerFrame::CallOffer(CallRing {
            call_id,
            from: caller,
            media,
            sdp: description.to_string(),
            rings_for_ms: milliseconds(remaining),
        }),
        What::Answer { description } => {
            ServerFrame::CallAnswer(CallAnswer { call_id, sdp: description.to_string() })
        }
        What::Candidate { candidate } => {
            ServerFrame::CallIce(CallIce { call_id, candidate: candidate.to_string() })
        }
        What::Over(reason) => {
            let (state, reason) = (CallPhase::Ended, Some(reason));
            ServerFrame::CallState(CallState { call_id, state, reason })
        }
    }
}

/// The command that writes a record down, the same however often it is made.
fn message_of(record: &Record) -> SendRequest {
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
        client_message_id: call.clone(),
        content,
        retry: true,
        first_sent: None,
    }
}

/// Whether it may be otherwise in a moment.
fn is_passing(reason: ErrorReason) -> bool {
    matches!(
        reason,
        ErrorReason::ServerBusy
            | ErrorReason::Timeout
            | ErrorReason::StorageFull
            | ErrorReason::InternalError
            | ErrorReason::AfterRefused
    )
}

/// Refuses a session description that no browser makes. Its bound on bytes is the
/// switchboard's; without control characters it grows by no more than twice in JSON, and fits
/// into a frame.
fn check_description(sdp: &str) -> Result<(), Refusal> {
    if sdp.trim().is_empty() {
        return Err(Refusal::new(ErrorReason::InvalidField, "`sdp` is blank"));
    }
    check_text("sdp", sdp)
}

fn check_text(name: &str, text: &str) -> Result<(), Refusal> {
    let is_odd = |char: char| char.is_ascii_control() && !matches!(char, '\r' | '\n' | '\t');
    if text.contains(is_odd) {
        let message = format!("`{name}` has control characters");
        return Err(Refusal::new(ErrorReason::InvalidField, message));
    }
    Ok(())
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let reason = match &refused {
            Refused::Oneself => ErrorReason::CannotSendToSelf,
            Refused::Unknown => ErrorReason::CallNotFound,
            Refused::NameTaken => ErrorReason::CallIdTaken,
            Refused::InCall => ErrorReason::InCall,
            Refused::Busy(_) => ErrorReason::Busy,
            Refused::Glare(_) => ErrorReason::Glare,
            Refused::ElsewhereTaken => ErrorReason::CallElsewhere,
            Refused::OutOfTurn(_) => ErrorReason::CallState,
            Refused::TooLong(_) => ErrorReason::InvalidField,
        };
        Self::new(reason, refused.to_string())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}
