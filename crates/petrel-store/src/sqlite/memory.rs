//! The memory tails, shared between the writer and the readers.
//!
//! **Why no read misses a commit.** The writer adds a commit to the collecting tail
//! after its `COMMIT` has returned and before anybody is answered, then raises `visible`
//! to its last row. A tail leaves memory only after the transaction that completed its
//! entries in the indexes has been committed. A reader takes the tails and `visible` and
//! opens its snapshot under one lock, which excludes both changes. So of every commit up
//! to `visible` its snapshot holds the rows, and its index entries are in the snapshot,
//! in a tail that the reader holds, or in both.
//!
//! **Why a page and its head agree.** Whatever the snapshot or a tail may hold of a later
//! commit has rows above `visible`, and readers ignore those. Only frozen tails are moved
//! into the indexes, the heads and the members, and what is frozen was visible before; so
//! these tables never hold anything above a reader's `visible`.
//!
//! **Why what is changed in place fits, too.** A membership, a profile, a payload or a trim
//! is changed where it is, without a row that would tell when. So while such a change is
//! committed, from before the `COMMIT` until `visible` has been raised, the writer keeps
//! readers from opening a snapshot ([`Memory::shut`]). A snapshot then holds exactly the
//! changes of the commits up to `visible`. They are rare; a reader waits for one fsync.
//!
//! **What a slice may do at any moment.** The entries of a timeline are moved in order,
//! so the index holds a beginning of each timeline without a hole and the tails the rest,
//! perhaps with an overlap. Heads and cursors only grow; the tails, asked first, know the
//! newest.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use petrel_types::{ConversationId, RowId, Seq, UserId};

use super::idempotency::Generations;
use super::tail::{Move, Place, Tail};

pub(super) type SharedTail = Arc<RwLock<Tail>>;

/// The tails that are in memory.
#[derive(Debug)]
pub(super) struct Memory(RwLock<Tails>);

#[derive(Debug)]
struct Tails {
    collecting: SharedTail,
    frozen: Option<SharedTail>,
    visible: RowId,
    generations: Arc<Generations>,
}

/// While it lives, no reader opens a snapshot.
pub(super) struct Shut<'a>(RwLockWriteGuard<'a, Tails>);

/// The tails as of one moment.
#[derive(Debug)]
pub(super) struct View {
    /// The newest first.
    tails: Vec<SharedTail>,
    visible: RowId,
    generations: Arc<Generations>,
}

impl Memory {
    /// Begins with what was recovered.
    pub(super) fn new(recovered: Tail, visible: RowId, generations: Arc<Generations>) -> Self {
        let collecting = Arc::new(RwLock::new(recovered));
        Self(RwLock::new(Tails { collecting, frozen: None, visible, generations }))
    }

    /// Takes a view and opens a snapshot of the database at the same moment.
    pub(super) fn view<E>(&self, open_snapshot: impl FnOnce() -> Result<(), E>) -> Result<View, E> {
        let tails = self.0.read().unwrap_or_else(PoisonError::into_inner);
        open_snapshot()?;
        Ok(tails.view(tails.visible))
    }

    /// The view of the writer, who sees everything.
    pub(super) fn writers_view(&self) -> View {
        self.0.read().unwrap_or_else(PoisonError::into_inner).view(RowId::new(u64::MAX))
    }

    /// Keeps readers from opening snapshots until the commit is added.
    pub(super) fn shut(&self) -> Shut<'_> {
        Shut(self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a commit and makes it visible.
    pub(super) fn append(&self, commit: Tail, last_row: RowId, shut: Option<Shut<'_>>) {
        let collecting = match &shut {
            Some(Shut(tails)) => Arc::clone(&tails.collecting),
            None => Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).collecting),
        };
        // Readers ignore what is not visible yet, so they need not wait for all of it.
        collecting.write().unwrap_or_else(PoisonError::into_inner).append(commit);
        shut.unwrap_or_else(|| self.shut()).0.visible = last_row;
    }

    /// How many entries the collecting tail holds.
    pub(super) fn weight(&self) -> usize {
        let tails = self.0.read().unwrap_or_else(PoisonError::into_inner);
        read(&tails.collecting).weight
    }

    /// Freezes the collecting tail and begins another. The one frozen before must have
    /// been forgotten.
    pub(super) fn freeze(&self) -> (SharedTail, RowId) {
        let mut tails = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = Tail::sized_like(&read(&tails.collecting));
        let frozen = std::mem::replace(&mut tails.collecting, Arc::new(RwLock::new(next)));
        tails.frozen = Some(Arc::clone(&frozen));
        (frozen, tails.visible)
    }

    /// Lets go of the frozen tail, all of which must be in the indexes, on disk.
    pub(super) fn forget_frozen(&self, generations: Arc<Generations>) -> Option<SharedTail> {
        let mut tails = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tails.generations = generations;
        tails.frozen.take()
    }

    /// From now on client message ids are looked for in these.
    pub(super) fn set_generations(&self, generations: Arc<Generations>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).generations = generations;
    }
}

impl Tails {
    fn view(&self, visible: RowId) -> View {
        let tails = [Some(&self.collecting), self.frozen.as_ref()];
        let tails = tails.into_iter().flatten().cloned().collect();
        View { tails, visible, generations: Arc::clone(&self.generations) }
    }
}

pub(super) fn read(tail: &SharedTail) -> RwLockReadGuard<'_, Tail> {
    tail.read().unwrap_or_else(PoisonError::into_inner)
}

impl View {
    /// The last row of the last commit that belongs to the view.
    pub(super) fn visible(&self) -> RowId {
        self.visible
    }

    /// Where client message ids are looked for.
    pub(super) fn generations(&self) -> &Generations {
        &self.generations
    }

    /// The end of a timeline, if a tail knows it.
    pub(super) fn head(&self, conversation: ConversationId) -> Option<Place> {
        self.find(|tail| tail.places(conversation, self.visible).last().copied())
    }

    /// The last event of a timeline up to `seq`, if a tail knows it.
    pub(super) fn last_up_to(&self, conversation: ConversationId, seq: Seq) -> Option<Place> {
        self.find(|tail| {
            let places = tail.places(conversation, self.visible);
            places[..places.partition_point(|place| place.seq <= seq)].last().copied()
        })
    }

    /// Where the tails begin to know a timeline. They know all of it from there on.
    pub(super) fn first_seq(&self, conversation: ConversationId) -> Option<Seq> {
        let mut oldest_first = self.tails.iter().rev();
        oldest_first
            .find_map(|tail| read(tail).places(conversation, self.visible).first().copied())
            .map(|place| place.seq)
    }

    /// Up to `limit` places after `after`, oldest first.
    pub(super) fn places_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Vec<Place> {
        let mut found = Vec::new();
        for tail in self.tails.iter().rev() {
            let tail = read(tail);
            let places = tail.places(conversation, self.visible);
            let from = places.partition_point(|place| place.seq <= after);
            found.extend(places[from..].iter().take(limit - found.len()));
        }
        found
    }

    /// Up to `limit` places before `before`, newest first.
    pub(super) fn places_before(
        &self,
        conversation: ConversationId,
        before: Seq,
        limit: usize,
    ) -> Vec<Place> {
        let mut found = Vec::new();
        for tail in &self.tails {
            let tail = read(tail);
            let places = tail.places(conversation, self.visible);
            let to = places.partition_point(|place| place.seq < before);
            found.extend(places[..to].iter().rev().take(limit - found.len()));
        }
        found
    }

    /// The rows that a hash may stand for.
    pub(super) fn rows_of(&self, hash: u64) -> Vec<RowId> {
        let mut rows = Vec::new();
        for tail in &self.tails {
            rows.extend(read(tail).keys.get(hash).filter(|row| *row <= self.visible));
        }
        rows
    }

    /// The cursors of a member, if they have moved lately.
    pub(super) fn member(&self, conversation: ConversationId, user: UserId) -> Option<Move> {
        self.find(|tail| tail.member(conversation, user, self.visible))
    }

    fn find<T>(&self, look: impl Fn(&Tail) -> Option<T>) -> Option<T> {
        self.tails.iter().find_map(|tail| look(&read(tail)))
    }
}
