//! What goes to many, by conversation: each has its order, and they take turns.

use std::collections::{HashMap, VecDeque};

use petrel_types::ConversationId;

use super::Work;

/// How many frames may wait, and to how many users altogether, before no more batches are
/// taken. At half a microsecond a user it is a second of work.
const FRAMES_MAX: usize = 4096;
const USERS_MAX: usize = 2_000_000;

/// The conversations that something waits in. One is in `turns` once if and only if
/// something waits in it.
#[derive(Default)]
pub(super) struct Backlog {
    works: HashMap<ConversationId, VecDeque<Work>>,
    turns: VecDeque<ConversationId>,
    frames: usize,
    users: usize,
}

/// What waits in one conversation, while it has its turn.
pub(super) struct Turn {
    conversation: ConversationId,
    pub(super) works: VecDeque<Work>,
    frames: usize,
    users: usize,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.works.is_empty()
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames as u64
    }

    pub(super) fn has_room(&self) -> bool {
        self.frames < FRAMES_MAX && self.users < USERS_MAX
    }

    pub(super) fn contains(&self, conversation: ConversationId) -> bool {
        // Almost always there is nothing at all.
        !self.works.is_empty() && self.works.contains_key(&conversation)
    }

    pub(super) fn push(&mut self, conversation: ConversationId, work: Work) {
        self.frames += 1;
        self.users += work.waiting();
        let works = self.works.entry(conversation).or_default();
        if works.is_empty() {
            self.turns.push_back(conversation);
        }
        works.push_back(work);
    }

    /// The conversation whose turn it is. It must be given back with [`Self::end_turn`]
    /// before anything else is done.
    pub(super) fn next_turn(&mut self) -> Option<Turn> {
        let conversation = self.turns.pop_front()?;
        let works = self.works.remove(&conversation)?;
        let (frames, users) = measure(&works);
        Some(Turn { conversation, works, frames, users })
    }

    pub(super) fn end_turn(&mut self, turn: Turn) {
        let (frames, users) = measure(&turn.works);
        self.frames -= turn.frames - frames;
        self.users -= turn.users - users;
        if !turn.works.is_empty() {
            self.turns.push_back(turn.conversation);
            self.works.insert(turn.conversation, turn.works);
        }
    }
}

fn measure(works: &VecDeque<Work>) -> (usize, usize) {
    (works.len(), works.iter().map(Work::waiting).sum())
}
