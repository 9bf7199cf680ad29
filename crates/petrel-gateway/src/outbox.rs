//! What waits to be written to one session, bounded in bytes.
//!
//! A slow reader never costs others anything. Above the high-water mark pushes are no
//! longer queued: the outbox remembers only which conversations have moved on, and
//! once it has drained the device gets one `GAP` for each and pulls. Nothing is lost,
//! because the timeline is the truth.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use petrel_protocol::frame::ServerFrame;
use petrel_types::{ConversationId, LoginId, Seq, SessionId, UserId};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::replacement::{Bearer, Ending};

/// Above this many queued bytes pushes become gaps.
pub(crate) const HIGH_WATER_BYTES: usize = 512 * 1024;

/// At or below this many queued bytes gaps are told and pushes are queued again.
pub(crate) const LOW_WATER_BYTES: usize = 256 * 1024;

/// What an answer counts for before it is encoded. Answers are bounded by the sends
/// in flight and the command queue, so the estimate can't be abused.
const ANSWER_BYTES: usize = 256;

/// Something to write.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A frame shared by all its receivers, and its place if it is an event.
    Push { frame: Utf8Bytes, place: Option<(ConversationId, Seq)> },
    /// The answer to this session's request `tag`.
    Answer { tag: u64, frame: Option<Box<ServerFrame>> },
    /// A conversation moved on while the outbox was full.
    Gap { conversation: ConversationId, head: Seq },
}

/// The queue of one session. The fan-out fills it, the session's task drains it.
#[derive(Debug)]
pub(crate) struct Outbox {
    session: SessionId,
    bearer: Bearer,
    /// The log-in of the token in force, which may differ from the first; 0 for none.
    login: AtomicU64,
    state: Mutex<State>,
    wake: Notify,
    ending: OnceLock<Ending>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Outgoing>,
    bytes: usize,
    /// Over the high-water mark, and not yet back at the low-water mark.
    congested: bool,
    gaps: BTreeMap<ConversationId, Seq>,
}

impl Outbox {
    pub(crate) fn new(session: SessionId, bearer: Bearer) -> Self {
        Self {
            session,
            login: AtomicU64::new(bearer.login.map_or(0, LoginId::get)),
            bearer,
            state: Mutex::default(),
            wake: Notify::new(),
            ending: OnceLock::new(),
        }
    }

    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    pub(crate) fn user(&self) -> UserId {
        self.bearer.user
    }

    /// Whose it was at the beginning, and on which device.
    pub(crate) fn bearer(&self) -> &Bearer {
        &self.bearer
    }

    /// The log-in of the token in force.
    pub(crate) fn login(&self) -> Option<LoginId> {
        let login = self.login.load(Ordering::SeqCst);
        (login != 0).then(|| LoginId::new(login))
    }

    /// Another token is in force.
    pub(crate) fn set_login(&self, login: Option<LoginId>) {
        self.login.store(login.map_or(0, LoginId::get), Ordering::SeqCst);
    }

    /// Tells the session to end, and wakes it. The first reason counts.
    pub(crate) fn end(&self, ending: Ending) {
        let _ = self.ending.set(ending);
        self.wake();
    }

    /// Why the session is to end, if it is.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    /// Queues a push, or notes a gap. `place` is the event's place, if losing the frame
    /// would leave a hole. Does not wake the session. Returns whether it was queued.
    pub(crate) fn push(&self, frame: &Utf8Bytes, place: Option<(ConversationId, Seq)>) -> bool {
        let mut state = self.state();
        if state.bytes + frame.len() > HIGH_WATER_BYTES {
            state.congested = true;
        }
        if !state.congested {
            state.bytes += frame.len();
            state.queue.push_back(Outgoing::Push { frame: frame.clone(), place });
        } else if let Some((conversation, seq)) = place {
            let head = state.gaps.entry(conversation).or_default();
            *head = seq.max(*head);
        }
        !state.congested
    }

    /// Queues an answer. Does not wake the session.
    pub(crate) fn answer(&self, tag: u64, frame: Option<ServerFrame>) {
        let mut state = self.state();
        state.bytes += ANSWER_BYTES;
        state.queue.push_back(Outgoing::Answer { tag, frame: frame.map(Box::new) });
    }

    /// Wakes the session's task.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until woken. A wake that came before is not lost.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes the next thing to write; gaps when everything queued before is out.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        let mut state = self.state();
        if let Some(next) = state.queue.pop_front() {
            state.bytes -= match &next {
                Outgoing::Push { frame, .. } => frame.len(),
                Outgoing::Answer { .. } => ANSWER_BYTES,
                Outgoing::Gap { .. } => 0,
            };
            if state.bytes <= LOW_WATER_BYTES {
                state.release_gaps();
            }
            return Some(next);
        }
        None
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().queue.is_empty()
    }

    /// How much waits to be written.
    pub(crate) fn bytes(&self) -> usize {
        self.state().bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Queues a `GAP` for every conversation that moved on meanwhile. Later pushes
    /// queue behind them.
    fn release_gaps(&mut self) {
        self.congested = false;
        let gaps = std::mem::take(&mut self.gaps);
        self.queue.extend(
            gaps.into_iter().map(|(conversation, head)| Outgoing::Gap { conversation, head }),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: ConversationId = ConversationId::new(7);

    fn outbox() -> Outbox {
        Outbox::new(SessionId::new(1), Bearer { user: UserId::new(1), ..Bearer::default() })
    }

    fn frame_of_16_kib() -> Utf8Bytes {
        "x".repeat(16 * 1024).into()
    }

    #[test]
    fn a_full_outbox_turns_pushes_into_one_gap_per_conversation() {
        let outbox = outbox();
        let frame = frame_of_16_kib();
        for seq in 1..=100 {
            outbox.push(&frame, Some((CONVERSATION, Seq::new(seq))));
        }
        let mut pushes = 0;
        let mut gaps = Vec::new();
        while let Some(next) = outbox.take() {
            match next {
                Outgoing::Push { .. } => {
                    assert!(gaps.is_empty(), "a push queued before the gap came after it");
                    pushes += 1;
                }
                Outgoing::Gap { conversation, head } => gaps.push((conversation, head)),
                Outgoing::Answer { .. } => panic!("there was no request"),
            }
        }
        assert_eq!(pushes, HIGH_WATER_BYTES / (16 * 1024));
        assert_eq!(gaps, [(CONVERSATION, Seq::new(100))]);
    }

    #[test]
    fn pushes_are_queued_again_once_drained_and_come_after_the_gap() {
        let outbox = outbox();
        let frame = frame_of_16_kib();
        for seq in 1..=40 {
            outbox.push(&frame, Some((CONVERSATION, Seq::new(seq))));
        }
        for _ in 0..16 {
            assert!(matches!(outbox.take(), Some(Outgoing::Push { .. })));
        }
        outbox.push(&frame, Some((CONVERSATION, Seq::new(41))));
        let rest: Vec<_> = std::iter::from_fn(|| outbox.take()).collect();
        let gap = rest
            .iter()
            .position(|next| matches!(next, Outgoing::Gap { head, .. } if head.get() == 40));
        assert_eq!(gap, Some(rest.len() - 2));
        assert!(matches!(rest.last(), Some(Outgoing::Push { .. })));
    }

    #[test]
    fn answers_are_never_turned_away() {
        let outbox = outbox();
        let frame = frame_of_16_kib();
        for seq in 1..=40 {
            outbox.push(&frame, Some((CONVERSATION, Seq::new(seq))));
        }
        outbox.answer(5, None);
        let answers = std::iter::from_fn(|| outbox.take())
            .filter(|next| matches!(next, Outgoing::Answer { tag: 5, .. }))
            .count();
        assert_eq!(answers, 1);
    }
}
