//! Calls as users make them: authorised, bounded in pace, brought to their devices, and
//! written down.
//!
//! The [`Switchboard`] knows what may become of a call; here is who may call whom, and what
//! both are told in frames. What follows from an event is given to the sessions while the
//! switchboard is locked, so that all of them hear of it in one order; giving is a push into
//! an outbox, and never waits.
//!
//! What stays of a call is handed to the [`Records`] in the order in which calls end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{CallAnswer, CallIce, CallOffer, CallPhase, CallState, ServerFrame};
use petrel_store::{Store, StoreError};
use petrel_types::{ClientMessageId, UserId};
use tokio::sync::Notify;

use super::frames::{check_description, check_text, frame_of, is_passing, milliseconds};
use super::pace::{Counted, Paces};
use super::records::Records;
use super::{Audience, Happened, Metrics, Offer, Party, Refused, Signal, Switchboard, What};
use crate::Refusal;
use crate::pair::Pair;
use crate::requester::Requester;
use crate::sequencer::{Affected, Rules};

/// How long to wait before it is looked again whether a call may go on, if the store could
/// not tell.
const DOUBTED_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// All calls of a node.
pub struct Exchange {
    store: Arc<dyn Store>,
    rules: Rules,
    board: Mutex<Board>,
    /// There is another next deadline.
    rescheduled: Notify,
    records: Records,
    paces: Paces,
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
        Self {
            store,
            rules,
            board: Mutex::new(board),
            rescheduled: Notify::new(),
            records: Records::new(requester, metrics.clone()),
            paces: Paces::new(now()),
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
        let CallOffer { call_id, to, media, sdp, resumes } = frame;
        self.count(caller.user, Counted::Offer)?;
        check_description(&sdp)?;
        let (call, description) = (call_id.clone(), sdp.into());
        let offer = Offer { call, caller, callee: to, media, description, resumes };
        loop {
            let changes = self.board().changes;
            self.check_reach(caller.user, to).await?;
            let mut board = self.board();
            if board.stopped {
                return Err(Refusal::new(ErrorReason::ServerBusy, "the server is going down"));
            }
            // What was found is of the past, if somebody has blocked somebody since.
            let is_news = board.changes != changes;
            #[cfg(feature = "mutants")]
            let is_news = is_news && !petrel_store::mutants::is("call-races-a-block");
            if is_news {
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
        let is_taken = happened.as_ref().is_ok_and(|happened| !happened.signals.is_empty());
        if is_taken && board.switchboard.goes_on(&call_id) {
            self.metrics.resumed.inc();
        }
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
        // Counted first: what is wrong with it is told as often as it is sent.
        self.count(from.user, Counted::Candidate)?;
        check_text("candidate", &candidate)?;
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
        let mut again = None;
        loop {
            let deadline = self.board().switchboard.next_deadline();
            tokio::select! {
                () = self.rescheduled.notified() => {}
                () = sleep_until(deadline.into_iter().chain(again).min()) => {}
            }
            let doubted = self.expire(ringing);
            let unknown = self.part(doubted, ringing).await;
            again = (!unknown.is_empty()).then(|| now() + DOUBTED_AGAIN_AFTER);
            self.board().doubted.extend(unknown);
        }
    }

    /// Ends what has rung for too long, and returns which calls must be looked at.
    fn expire(&self, ringing: &impl Ringing) -> Vec<(UserId, UserId)> {
        let mut board = self.board();
        let doubted = std::mem::take(&mut board.doubted);
        let happened = board.switchboard.expire(now());
        let _ = self.follow(board, Ok(happened), ringing);
        doubted
    }

    /// Ends calls between users of whom one has blocked the other. Returns those of whom that
    /// can't be said at present.
    async fn part(
        &self,
        doubted: Vec<(UserId, UserId)>,
        ringing: &impl Ringing,
    ) -> Vec<(UserId, UserId)> {
        let mut unknown = Vec::new();
        for (one, other) in doubted {
            let (blocker, blocked) = match self.check_reach(one, other).await {
                Err(refusal) if refusal.reason == ErrorReason::BlockedByYou => (one, other),
                Err(refusal) if refusal.reason == ErrorReason::NotReachable => (other, one),
                Err(refusal) if is_passing(refusal.reason) => {
                    tracing::warn!(%refusal, "it is not known whether a call may go on; asking again");
                    unknown.push((one, other));
                    continue;
                }
                _ => continue,
            };
            let mut board = self.board();
            let happened = board.switchboard.part(blocker, blocked, now());
            let _ = self.follow(board, Ok(happened), ringing);
        }
        unknown
    }

    /// Stores the records of calls, for ever.
    pub async fn record(&self) {
        self.records.store().await;
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
        self.records.finish().await;
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
        #[cfg(feature = "mutants")]
        if petrel_store::mutants::is("call-across-a-block") {
            return Ok(());
        }
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
        let gauged = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.under_way.set(gauged(board.switchboard.len()));
        self.metrics.held.set(gauged(board.switchboard.held()));
        // In the order in which calls ended.
        self.records.keep(records);
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

    /// Whether somebody may send another candidate now. Those who may are not held up for it.
    pub fn has_room_for_candidate(&self, user: UserId) -> bool {
        self.paces.has_room(user, Counted::Candidate, now())
    }

    fn count(&self, user: UserId, what: Counted) -> Result<(), Refusal> {
        self.paces.count(user, what, now()).map_err(|wait| {
            self.metrics.too_many.inc();
            let message = "that was too often of late; wait a little";
            Refusal::new(ErrorReason::TooManyRequests, message)
                .retry_after(milliseconds(wait).max(1))
        })
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(signals: Vec<Signal>, ringing: &impl Ringing) {
    for Signal { call, to, what } in signals {
        ringing.ring(to, &frame_of(call, what));
    }
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
