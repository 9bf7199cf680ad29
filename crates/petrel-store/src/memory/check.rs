//! Whether a batch may be applied.

use std::collections::{BTreeMap, BTreeSet};

use petrel_types::{ConversationId, LogPosition, OwnerEpoch, Partition, Seq, UserId};

use super::state::{Membership, State};
use crate::{
    Batch, ConversationKind, Head, Interval, MemberUpdate, NewConversation, StoreError,
    StoreErrorKind,
};

/// Checks that the one who commits owns the partition, and does not go back.
pub(super) fn check_owner(
    state: &State,
    partition: Partition,
    next_position: LogPosition,
    owner_epoch: OwnerEpoch,
) -> Result<(), StoreError> {
    let claim = state.partitions.get(&partition).filter(|claim| claim.owner_epoch == owner_epoch);
    let Some(claim) = claim else {
        return Err(StoreError::new(StoreErrorKind::Fenced, "the owner epoch is over"));
    };
    if next_position < claim.next_position {
        return Err(invalid(format!("position {next_position} goes back")));
    }
    check_fits([next_position.get()])
}

/// Checks everything else.
pub(super) fn check_batch(state: &State, batch: &Batch) -> Result<(), StoreError> {
    let known = Known::new(state, batch)?;
    let heads = check_events(&known, batch)?;
    check_overwrites(state, batch)?;
    once(batch.profiles.iter().map(|update| update.conversation), "a profile")?;
    for update in &batch.profiles {
        known.kind(update.conversation)?;
    }
    once(batch.members.iter().map(|update| (update.conversation, update.user)), "a member")?;
    for update in &batch.members {
        check_member(&known, &heads, update)?;
    }
    check_cursors(&known, batch)?;
    once(batch.trims.iter().map(|trim| trim.conversation), "a trim")?;
    for trim in &batch.trims {
        known.kind(trim.conversation)?;
        if trim.before > known.head(&heads, trim.conversation).seq.next() {
            return Err(invalid(format!("{} is beyond the head", trim.before)));
        }
    }
    check_lists(&known, batch)?;
    once(batch.mentions.iter().map(|it| (it.conversation, it.user, it.seq)), "a mention")?;
    for mention in &batch.mentions {
        known.kind(mention.conversation)?;
        check_fits([mention.user.get()])?;
        if mention.seq > known.head(&heads, mention.conversation).seq {
            return Err(invalid(format!("a mention at {} is beyond the head", mention.seq)));
        }
    }
    once(batch.file_references.iter().map(|it| (it.file, it.conversation, it.seq)), "a file")?;
    for reference in &batch.file_references {
        known.kind(reference.conversation)?;
        if reference.seq > known.head(&heads, reference.conversation).seq {
            return Err(invalid(format!("{} is beyond the head", reference.seq)));
        }
    }
    check_derivations(&known, batch)
}

/// What there is once the conversations of the batch have begun.
struct Known<'a> {
    state: &'a State,
    begun: BTreeMap<ConversationId, &'a NewConversation>,
}

impl<'a> Known<'a> {
    fn new(state: &'a State, batch: &'a Batch) -> Result<Self, StoreError> {
        let mut begun = BTreeMap::new();
        // Of each kind that exists once for its users.
        let mut homes = BTreeSet::new();
        for new in &batch.conversations {
            let is_taken = match new.kind {
                ConversationKind::Single { low, high } => {
                    check_fits([low.get(), high.get()])?;
                    low > high
                        || state.single_chats.contains_key(&(low, high))
                        || !homes.insert((1, low, Some(high)))
                }
                ConversationKind::Personal { user } => {
                    check_fits([user.get()])?;
                    state.personal_timelines.contains_key(&user) || !homes.insert((3, user, None))
                }
                ConversationKind::Pair { low, high } => {
                    check_fits([low.get(), high.get()])?;
                    low >= high
                        || state.pairs.contains_key(&(low, high))
                        || !homes.insert((4, low, Some(high)))
                }
                ConversationKind::Group => false,
            };
            check_fits([new.id.get()])?;
            let id_is_taken = state.timelines.contains_key(&new.id);
            if is_taken || id_is_taken || begun.insert(new.id, new).is_some() {
                return Err(invalid(format!("conversation {} can't begin", new.id)));
            }
        }
        Ok(Self { state, begun })
    }

    fn kind(&self, id: ConversationId) -> Result<ConversationKind, StoreError> {
        let begun = self.begun.get(&id).map(|new| new.kind);
        begun
            .or_else(|| self.state.timelines.get(&id).map(|timeline| timeline.conversation.kind))
            .ok_or_else(|| invalid(format!("there is no conversation {id}")))
    }

    fn head(&self, heads: &BTreeMap<ConversationId, Head>, id: ConversationId) -> Head {
        let stored = || self.state.timelines.get(&id).map(|timeline| timeline.head());
        heads.get(&id).copied().or_else(stored).unwrap_or_default()
    }

    fn member(&self, id: ConversationId, user: UserId) -> Option<&Membership> {
        self.state.timelines.get(&id).and_then(|timeline| timeline.members.get(&user))
    }
}

/// Checks that the events continue their timelines under names of their own. Returns the
/// ends of those timelines.
fn check_events(
    known: &Known<'_>,
    batch: &Batch,
) -> Result<BTreeMap<ConversationId, Head>, StoreError> {
    let mut heads = BTreeMap::new();
    let mut names = BTreeSet::new();
    for event in &batch.events {
        check_fits([event.sender.get(), event.timestamp.get(), event.message_number.get()])?;
        known.kind(event.conversation)?;
        let head = known.head(&heads, event.conversation);
        let steps = [head.message_number, head.message_number.next()];
        if event.seq != head.seq.next() || !steps.contains(&event.message_number) {
            return Err(invalid(format!("event {} does not follow {}", event.seq, head.seq)));
        }
        let next = Head { seq: event.seq, message_number: event.message_number };
        heads.insert(event.conversation, next);
        if let Some(name) = &event.client_message_id {
            let key = (event.conversation, event.sender, name.clone());
            if known.state.by_client_id.contains_key(&key) || !names.insert(key) {
                return Err(invalid(format!("{name} is taken")));
            }
        }
    }
    Ok(heads)
}

fn check_overwrites(state: &State, batch: &Batch) -> Result<(), StoreError> {
    once(batch.overwrites.iter().map(|overwrite| overwrite.row), "an overwrite")?;
    match batch.overwrites.iter().find(|overwrite| !state.events.contains_key(&overwrite.row)) {
        None => Ok(()),
        Some(unknown) => Err(invalid(format!("there is no event at row {}", unknown.row))),
    }
}

fn check_member(
    known: &Known<'_>,
    heads: &BTreeMap<ConversationId, Head>,
    update: &MemberUpdate,
) -> Result<(), StoreError> {
    let MemberUpdate { conversation, user, ref intervals, .. } = *update;
    check_fits([user.get()])?;
    let kind = known.kind(conversation)?;
    if kind != ConversationKind::Group && !kind.has_for_ever(user, intervals) {
        return Err(invalid(format!("conversation {conversation} is no group")));
    }
    let head = known.head(heads, conversation).seq;
    if !are_in_order(intervals) {
        return Err(invalid(format!("the intervals of user {user} are not in order")));
    }
    if intervals.iter().any(|interval| interval.last.is_some_and(|last| last > head)) {
        return Err(invalid(format!("an interval of user {user} ends beyond {head}")));
    }
    let ended = intervals.last().and_then(|interval| interval.last);
    let ended_before = known.member(conversation, user).and_then(Membership::ended);
    let trimmed_before =
        known.state.timelines.get(&conversation).map_or(Seq::ZERO, |it| it.trimmed_before);
    match ended {
        // What the user is to see as the end must still be known.
        Some(last) if last < trimmed_before && last != head && ended != ended_before => {
            Err(invalid(format!("user {user} can't have left at {last}, which is trimmed")))
        }
        _ => Ok(()),
    }
}

/// Whether there are intervals, none of them is empty, none overlaps with the one before,
/// and only the last may be open.
fn are_in_order(intervals: &[Interval]) -> bool {
    let is_sound = |interval: &Interval| {
        interval.first > Seq::ZERO && interval.last.is_none_or(|last| last >= interval.first)
    };
    let follows = |pair: &[Interval]| pair[0].last.is_some_and(|last| last < pair[1].first);
    !intervals.is_empty() && intervals.iter().all(is_sound) && intervals.windows(2).all(follows)
}

fn check_cursors(known: &Known<'_>, batch: &Batch) -> Result<(), StoreError> {
    let joined: BTreeSet<_> =
        batch.members.iter().map(|update| (update.conversation, update.user)).collect();
    for cursor in &batch.cursors {
        check_fits([cursor.delivered.get(), cursor.read.get()])?;
        let is_member = match known.begun.get(&cursor.conversation).map(|new| new.kind) {
            Some(ConversationKind::Single { low, high }) => [low, high].contains(&cursor.user),
            Some(ConversationKind::Personal { user }) => user == cursor.user,
            Some(ConversationKind::Pair { .. }) => false,
            Some(ConversationKind::Group) | None => {
                known.member(cursor.conversation, cursor.user).is_some()
            }
        };
        if !is_member && !joined.contains(&(cursor.conversation, cursor.user)) {
            return Err(invalid(format!("{} is no member", cursor.user)));
        }
    }
    Ok(())
}

fn check_lists(known: &Known<'_>, batch: &Batch) -> Result<(), StoreError> {
    once(batch.entries.iter().map(|it| (it.conversation, it.list, it.key)), "an entry")?;
    for entry in &batch.entries {
        known.kind(entry.conversation)?;
        check_fits([entry.key])?;
    }
    once(batch.codes.iter().map(|it| &it.code), "a code")?;
    for update in &batch.codes {
        let Some(conversation) = update.conversation else { continue };
        known.kind(conversation)?;
        if known.state.codes.get(&update.code).is_some_and(|holder| *holder != conversation) {
            return Err(invalid(format!("the code {} is taken", update.code)));
        }
    }
    Ok(())
}

fn check_derivations(known: &Known<'_>, batch: &Batch) -> Result<(), StoreError> {
    let unsettled = &known.state.derivations;
    once(batch.derived.iter().map(|derived| derived.id), "a derivation")?;
    for derived in &batch.derived {
        known.kind(derived.id.home)?;
        check_fits([derived.id.number])?;
        if unsettled.contains_key(&derived.id) {
            return Err(invalid(format!("{:?} waits already", derived.id)));
        }
    }
    once(&batch.settled, "a settled derivation")?;
    match batch.settled.iter().find(|id| !unsettled.contains_key(id)) {
        None => Ok(()),
        Some(unknown) => Err(invalid(format!("{unknown:?} does not wait to be settled"))),
    }
}

/// Checks that nothing comes twice.
fn once<T: Ord>(keys: impl IntoIterator<Item = T>, what: &str) -> Result<(), StoreError> {
    let mut seen = BTreeSet::new();
    if keys.into_iter().all(|key| seen.insert(key)) {
        Ok(())
    } else {
        Err(invalid(format!("{what} comes twice")))
    }
}

/// Numbers that no database could hold are refused, as everywhere.
fn check_fits<const N: usize>(numbers: [u64; N]) -> Result<(), StoreError> {
    if numbers.iter().all(|number| i64::try_from(*number).is_ok()) {
        Ok(())
    } else {
        Err(invalid("a number needs more than 63 bits".to_owned()))
    }
}

fn invalid(reason: String) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, reason)
}
