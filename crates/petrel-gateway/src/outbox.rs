//! What waits to be written to one session, bounded in bytes.
//!
//! A slow reader never costs others anything. Above the high-water mark pushes are no
//! longer queued: the outbox remembers only which conversations have moved on, and
//! once it has drained the device gets one `GAP` for each and pulls. Nothing is lost,
//! because the timeline is the truth.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use petrel_protocol::frame::{ServerFrame, UserPresence};
use petrel_types::{ConversationId, LoginId, Seq, SessionId, UserId};
use tokio::sync::Notify;

use crate::WaterMarks;
use crate::replacement::{Bearer, Ending};
use crate::session::Text;

/// How much signals of calls may add to that. An offer has some 10 KiB.
const SIGNAL_BYTES_MAX: usize = 128 * 1024;

/// What an answer counts for before it is encoded. Answers are bounded by the sends
/// in flight and the command queue, so the estimate can't be abused.
const ANSWER_BYTES: usize = 256;

/// What a signal of a call counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// There are others like it.
    Light,
    /// A device that misses it is wrong about a call.
    Heavy,
}
/// How many notices may wait for a session that does not read: more than there are in force.
const NOTICES_WAITING_MAX: usize = 32;

/// Something to write.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A frame shared by all its receivers, and its place if it is an event.
    Push { frame: Text, place: Option<(ConversationId, Seq)> },
    /// The answer to this session's request `tag`.
    Answer { tag: u64, frame: Option<Box<ServerFrame>> },
    /// A conversation moved on while the outbox was full.
    Gap { conversation: ConversationId, head: Seq },
}

/// What of very large groups a session wants.
#[derive(Debug)]
struct Heads {
    /// Those whose events are pushed.
    focus: Vec<ConversationId>,
    /// Those that have moved on, and how far.
    waiting: BTreeMap<ConversationId, Seq>,
}

/// The queue of one session. The fan-out fills it, the session's task drains it.
#[derive(Debug)]
pub(crate) struct Outbox {
    session: SessionId,
    bearer: Bearer,
    /// The log-in of the token in force, which may differ from the first; 0 for none.
    login: AtomicU64,
    marks: WaterMarks,
    state: Mutex<State>,
    /// Whether notices wait, so that whoever writes need not look.
    has_notices: AtomicBool,
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
    /// Of a session with the capability `head`. Boxed, because most have none.
    heads: Option<Box<Heads>>,
    /// What is to be told of users that the session watches: at most one thing for each.
    presences: BTreeMap<UserId, UserPresence>,
    /// What admins say to everybody. Not counted in bytes: the frames are shared by all.
    notices: Vec<Text>,
}

impl Outbox {
    pub(crate) fn new(session: SessionId, bearer: Bearer, marks: WaterMarks) -> Self {
        Self {
            session,
            marks,
            login: AtomicU64::new(bearer.login.map_or(0, LoginId::get)),
            bearer,
            state: Mutex::default(),
            has_notices: AtomicBool::new(false),
            wake: Notify::new(),
            ending: OnceLock::new(),
        }
    }

    /// Of a session that takes heads of very large groups instead of bodies.
    pub(crate) fn with_heads(session: SessionId, bearer: Bearer, marks: WaterMarks) -> Self {
        let heads = Heads { focus: Vec::new(), waiting: BTreeMap::new() };
        let state = State { heads: Some(Box::new(heads)), ..State::default() };
        Self { state: Mutex::new(state), ..Self::new(session, bearer, marks) }
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
    pub(crate) fn push(&self, frame: &Text, place: Option<(ConversationId, Seq)>) -> bool {
        let mut state = self.state();
        if state.bytes + frame.len() > self.marks.high_bytes as usize {
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

    /// Queues a frame that nobody misses, if little waits: it must not push aside what counts.
    /// Does not wake the session. Returns whether it was queued.
    pub(crate) fn push_if_quiet(&self, frame: &Text) -> bool {
        let mut state = self.state();
        if state.congested || state.bytes + frame.len() > self.marks.low_bytes as usize {
            return false;
        }
        state.bytes += frame.len();
        state.queue.push_back(Outgoing::Push { frame: frame.clone(), place: None });
        true
    }

    /// Queues a signal of a call, which may use some room above the mark, so that a device
    /// that is behind hears that a call is over. Does not wake the session. Returns whether it
    /// was queued: beyond that room it is dropped, and so is what is light at the mark.
    pub(crate) fn push_signal(&self, frame: &Text, weight: Weight) -> bool {
        let mut state = self.state();
        let mark = self.marks.high_bytes as usize;
        let max = match weight {
            Weight::Light => mark,
            Weight::Heavy => mark + SIGNAL_BYTES_MAX,
        };
        if state.bytes + frame.len() > max {
            return false;
        }
        state.bytes += frame.len();
        state.queue.push_back(Outgoing::Push { frame: frame.clone(), place: None });
        true
    }

    /// Notes what is to be told of a user, in the place of what was to be told before. Returns
    /// whether the session has to be woken for it: not if it is still to be told of others.
    pub(crate) fn note_presence(&self, presence: UserPresence) -> bool {
        let mut state = self.state();
        let is_news = state.presences.is_empty();
        state.presences.insert(presence.user, presence);
        is_news
    }

    /// Takes what is to be told of users, by id.
    pub(crate) fn take_presences(&self) -> Vec<UserPresence> {
        std::mem::take(&mut self.state().presences).into_values().collect()
    }

    /// Notes a notice, which is written when everything else is. Of too many the oldest goes;
    /// returns whether one did. Does not wake the session.
    pub(crate) fn note_notice(&self, frame: &Text) -> bool {
        let mut state = self.state();
        let is_full = state.notices.len() >= NOTICES_WAITING_MAX;
        if is_full {
            state.notices.remove(0);
        }
        state.notices.push(Text::clone(frame));
        self.has_notices.store(true, Ordering::Release);
        is_full
    }

    /// Takes the notices that wait, in their order.
    pub(crate) fn take_notices(&self) -> Vec<Text> {
        if !self.has_notices.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut state = self.state();
        self.has_notices.store(false, Ordering::Release);
        std::mem::take(&mut state.notices)
    }

    /// Notes that a very large group has moved on. `None` if the session wants the event
    /// itself; otherwise whether the session has to be woken for it, and it has not if it
    /// is still to be told of an earlier event.
    pub(crate) fn note_head(&self, conversation: ConversationId, seq: Seq) -> Option<bool> {
        let mut state = self.state();
        let heads = state.heads.as_mut()?;
        if heads.focus.contains(&conversation) {
            return None;
        }
        let mut is_news = false;
        let head = heads.waiting.entry(conversation).or_insert_with(|| {
            is_news = true;
            seq
        });
        *head = seq.max(*head);
        Some(is_news)
    }

    /// Takes the heads that `is_due` says are to be told now.
    pub(crate) fn take_heads(
        &self,
        mut is_due: impl FnMut(ConversationId) -> bool,
    ) -> Vec<(ConversationId, Seq)> {
        let mut taken = Vec::new();
        if let Some(heads) = &mut self.state().heads {
            heads.waiting.retain(|conversation, seq| {
                let is_due = is_due(*conversation);
                if is_due {
                    taken.push((*conversation, *seq));
                }
                !is_due
            });
        }
        taken
    }

    /// Has the events of some conversations pushed from now on. Returns those that were
    /// not pushed before, or `None` if they are too many with those in focus already.
    pub(crate) fn focus(
        &self,
        conversations: &[ConversationId],
        max: usize,
    ) -> Option<Vec<ConversationId>> {
        let mut state = self.state();
        // A session without the capability is pushed everything anyhow.
        let Some(heads) = &mut state.heads else { return Some(Vec::new()) };
        let is_new = |id: &&ConversationId| !heads.focus.contains(id);
        let added: Vec<_> = conversations.iter().filter(is_new).copied().collect();
        if heads.focus.len() + added.len() > max {
            return None;
        }
        heads.focus.extend(&added);
        // Their heads are told with the answer.
        heads.waiting.retain(|conversation, _| !conversations.contains(conversation));
        Some(added)
    }

    /// Has the events of some conversations no longer pushed; of all, if none is named.
    pub(crate) fn look_away(&self, conversations: &[ConversationId]) {
        if let Some(heads) = &mut self.state().heads {
            let stays =
                |id: &ConversationId| !conversations.is_empty() && !conversations.contains(id);
            heads.focus.retain(stays);
        }
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
            if state.bytes <= self.marks.low_bytes as usize {
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
        let bearer = Bearer { user: UserId::new(1), ..Bearer::default() };
        Outbox::new(SessionId::new(1), bearer, WaterMarks::default())
    }

    fn frame_of_16_kib() -> Text {
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
        assert_eq!(pushes, 512 / 16);
        assert_eq!(gaps, [(CONVERSATION, Seq::new(100))]);
    }

    #[test]
    fn the_marks_are_those_that_were_set() {
        let marks = WaterMarks { high_bytes: 64 * 1024, low_bytes: 32 * 1024 };
        let outbox = Outbox::new(SessionId::new(1), Bearer::default(), marks);
        let frame = frame_of_16_kib();
        let push = |seq| outbox.push(&frame, Some((CONVERSATION, Seq::new(seq))));
        assert_eq!((1..=5).map(push).collect::<Vec<_>>(), [true, true, true, true, false]);
        // Above the low mark it stays so.
        outbox.take();
        assert!(!push(6));
        outbox.take();
        assert!(push(7));
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
    fn what_nobody_misses_is_dropped_before_anything_else_is() {
        let outbox = outbox();
        let (frame, soft) = (frame_of_16_kib(), Text::from("soft"));
        assert!(outbox.push_if_quiet(&soft));
        while outbox.bytes() + frame.len() <= WaterMarks::default().low_bytes as usize {
            assert!(outbox.push(&frame, Some((CONVERSATION, Seq::new(1)))));
        }
        assert!(outbox.push(&frame, Some((CONVERSATION, Seq::new(2)))));
        assert!(!outbox.push_if_quiet(&soft));
        assert!(outbox.push(&frame, Some((CONVERSATION, Seq::new(3)))));
        while outbox.take().is_some() {}
        assert!(outbox.push_if_quiet(&soft));
        assert_eq!(outbox.bytes(), soft.len());
    }

    #[test]
    fn signals_of_calls_have_some_room_of_their_own() {
        let outbox = outbox();
        let (frame, signal) = (frame_of_16_kib(), Text::from("x".repeat(1024)));
        while outbox.push(&frame, Some((CONVERSATION, Seq::new(1)))) {}
        assert!(!outbox.push_signal(&signal, Weight::Light));
        let mut signals = 0;
        while outbox.push_signal(&signal, Weight::Heavy) {
            signals += 1;
        }
        assert_eq!(signals, SIGNAL_BYTES_MAX / 1024);
        let queued = std::iter::from_fn(|| outbox.take()).count();
        let pushed = WaterMarks::default().high_bytes as usize / (16 * 1024);
        assert_eq!(queued, pushed + signals + 1, "and a gap");
        assert!(outbox.push_signal(&signal, Weight::Light));
    }

    #[test]
    fn of_each_user_only_the_last_word_is_told() {
        let outbox = outbox();
        let presence =
            |user, online| UserPresence { user: UserId::new(user), online, last_seen_ts: None };
        assert!(outbox.note_presence(presence(8, true)));
        for _ in 0..1_000 {
            assert!(!outbox.note_presence(presence(7, true)), "it is awake already");
            assert!(!outbox.note_presence(presence(7, false)));
        }
        assert_eq!(outbox.take_presences(), [presence(7, false), presence(8, true)]);
        assert_eq!(outbox.take_presences(), []);
        assert!(outbox.note_presence(presence(7, true)));
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
