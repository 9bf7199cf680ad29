//! The questions that are asked of a world: of any read at any time, of a device that has
//! caught up, and of everything when the world has come to rest.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    Change, Conversation, ConversationState, Events, GroupInvited, GroupRequests, Pull, Role, Sync,
    SyncConversation,
};
use petrel_store::{Store, StoredEvent};
use petrel_types::{Clock, ConversationId, Seq, UserId};

use crate::copy::{Copy, Group};
use crate::device::placed;
use crate::held::{Held, What};
use crate::ledger::Timeline;
use crate::world::{USERS, World};

impl World {
    /// Somebody reads something, whether or not they may: they get what they may see and
    /// nothing else.
    pub(crate) async fn probe(&mut self) -> Result<()> {
        let user = UserId::new(1 + self.random.u64(..=USERS));
        let ids: Vec<_> = self.ledger.timelines.keys().copied().collect();
        let Some(id) = self.random.choice(ids) else { return Ok(()) };
        self.note(|| format!("user {user} looks at {id}"));
        let timeline = &self.ledger.timelines[&id];
        let place = Seq::new(self.random.u64(..timeline.head() + 3));
        let (after_seq, before_seq) =
            if self.random.bool() { (Some(place), None) } else { (None, Some(place)) };
        let limit = Some(self.random.u32(1..9));
        let catchup = &self.server.catchup;
        let pull = Pull { conversation_id: id, after_seq, before_seq, limit };
        match (timeline.end_for(user), catchup.pull(user, &pull).await) {
            (Some(_), Ok(answer)) => {
                check_events(timeline, user, &answer)?;
                let kept = timeline.trimmed_before..answer.from_seq.get();
                let is_more = match after_seq {
                    Some(_) => answer.to_seq < answer.head_seq,
                    None => kept.clone().any(|seq| timeline.may_read(user, seq)),
                };
                ensure!(answer.has_more == is_more, "hasMore is wrong: {pull:?} {answer:?}");
            }
            (None, Err(refusal)) if refusal.reason == ErrorReason::ConversationNotFound => {}
            (end, answer) => anyhow::bail!("a pull of {user}, whose end is {end:?}: {answer:?}"),
        }
        self.probe_state(user, id).await?;

        let frames = catchup.undelivered(user, 20).await?;
        let repeats = catchup.repeat(user, id, place, 20, 10_000).await.unwrap_or_default();
        for frame in frames.iter().chain(repeats.iter().map(|(_, frame)| frame)) {
            let placed = crate::held::Placed::of(frame).context("no event is repeated")?;
            let timeline = &self.ledger.timelines[&placed.conversation];
            ensure!(timeline.may_read(user, placed.seq), "repeated to {user}: {frame:?}");
        }
        if let Some(entry) = timeline.entry(place.get()) {
            let may = timeline.may_read(user, place.get());
            let may = may && place.get() >= timeline.trimmed_before;
            let found = catchup.place_of(user, entry.held.row).await;
            ensure!(found.is_ok() == may, "a place: {user} asks for {id}/{place}, {found:?}");
        }
        Ok(())
    }

    /// What a conversation is, is told to its members only, and rightly.
    async fn probe_state(&self, user: UserId, id: ConversationId) -> Result<()> {
        let timeline = &self.ledger.timelines[&id];
        let request = Conversation { conversation_id: id, members_after: None, limit: Some(500) };
        let is_member = timeline.roles.contains_key(&user);
        let answer = match self.server.catchup.conversation(user, &request).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let is_right = refusal.reason == ErrorReason::ConversationNotFound && !is_member;
                ensure!(is_right, "a state is refused: {id} to {user}, {refusal}");
                return Ok(());
            }
        };
        ensure!(is_member, "a state is told to a stranger: {id} to {user}, {answer:?}");
        let members = answer.members.iter().map(|member| (member.user, member.role));
        let is_right = members.eq(timeline.roles.iter().map(|(user, role)| (*user, *role)))
            && answer.as_of_seq.get() == timeline.head()
            && answer.member_count == timeline.roles.len() as u64
            && answer.pins.iter().map(|seq| seq.get()).eq(timeline.kept_pins())
            && answer.title.as_deref().unwrap_or_default() == timeline.title;
        ensure!(is_right, "a state is wrong: {answer:?}, not {:?}", timeline.roles);
        Ok(())
    }

    /// A device that is connected catches up, and is compared in some conversations.
    pub(crate) async fn compare_some(&mut self, index: usize) -> Result<()> {
        self.commit().await?;
        if self.devices[index].online {
            let ids: Vec<_> = self.devices[index].copies.keys().copied().collect();
            let some = [self.random.choice(&ids).copied(), self.random.choice(&ids).copied()];
            self.compare(index, |id| some.contains(&Some(id))).await?;
        }
        Ok(())
    }

    /// *State fetched = old state + events*: a device that has looked at everything knows
    /// what a new device would be told.
    async fn compare(&mut self, index: usize, pull: impl Fn(ConversationId) -> bool) -> Result<()> {
        self.read_inbox(index).await?;
        let catchup = self.server.catchup.clone();
        if self.devices[index].missed {
            self.devices[index].catch_up(&catchup).await?;
        }
        self.devices[index].fetch_states(&catchup).await?;
        self.compare_contacts(index).await?;
        self.note(|| format!("device {index} is compared"));
        let device = &self.devices[index];
        let user = device.user;
        let fetch = Sync { token: None, limit: Some(200) };
        let state = catchup.sync(user, &fetch).await?;
        let told: BTreeSet<_> = state.conversations.iter().map(|it| it.conversation_id).collect();
        let known: BTreeSet<_> = device.copies.keys().copied().collect();
        ensure!(told == known, "conversations differ: {user} knows {known:?}, told {told:?}");
        for told in &state.conversations {
            let id = told.conversation_id;
            let copy = &device.copies[&id];
            let context = || format!("device {index} of {user} in {id}");
            let timeline = &self.ledger.timelines[&id];
            // What the user's other devices are still to be told.
            let is_told = self.ledger.owes_nothing(user);
            compare_summary(user, copy, told, timeline, is_told).with_context(context)?;
            // What is left out of a read that the device was not told of may be what moved
            // cursors, or changed the group.
            if self.ledger.owes_deletion(user, id) {
                continue;
            }
            compare_cursors(user, copy, told).with_context(context)?;
            if !told.left && copy.is_group {
                let request =
                    Conversation { conversation_id: id, members_after: None, limit: Some(500) };
                let state = catchup.conversation(user, &request).await?;
                compare_group(copy, told, &state).with_context(context)?;
            }
            if pull(id) {
                let request = Pull {
                    conversation_id: id,
                    after_seq: Some(Seq::ZERO),
                    before_seq: None,
                    limit: Some(200),
                };
                let answer = catchup.pull(user, &request).await?;
                compare_events(user, copy, &answer, timeline, is_told).with_context(context)?;
            }
        }
        Ok(())
    }

    /// The truth about the whole world, once it has come to rest.
    pub(crate) async fn check(&mut self) -> Result<()> {
        self.note(|| "the world is checked".to_owned());
        for index in 0..self.devices.len() {
            self.compare(index, |_| true).await?;
        }
        self.ledger.check_notices()?;
        self.compare_invitations().await?;
        self.check_files().await?;
        for (id, timeline) in &self.ledger.timelines {
            self.check_timeline(*id, timeline).await?;
        }
        // Everything that the store holds, in whatever corner of it.
        let everything = format!("{:?}", self.server.memory);
        let living = self.ledger.living_texts();
        let stored: BTreeSet<_> = texts_in(&everything).collect();
        for text in &stored {
            ensure!(living.contains(text), "a text lingers in the store: {text}");
        }
        for text in living.iter().filter(|text| !text.is_empty() && !stored.contains(*text)) {
            ensure!(self.is_trimmed(text), "a text is lost: {text}");
        }
        Ok(())
    }

    fn is_trimmed(&self, text: &str) -> bool {
        let holds = |held: &Held| match &held.what {
            What::Message(message) => {
                let place = message.place.as_deref().unwrap_or_default();
                message.body == text || place.contains(text)
            }
            What::Change(Change::Edited { body, .. }) => body.as_deref() == Some(text),
            What::Change(_) => false,
        };
        self.ledger.timelines.values().all(|timeline| {
            let kept = usize::try_from(timeline.trimmed_before - 1).unwrap();
            !timeline.entries[kept..].iter().any(|entry| holds(&entry.held))
        })
    }

    /// Who waits to be let in is told to those who may let others in, and to nobody else.
    async fn check_requests(&self, id: ConversationId, timeline: &Timeline) -> Result<()> {
        for user in (1..=USERS).map(UserId::new) {
            let request = GroupRequests { group_id: id, users_after: None, limit: Some(200) };
            let answer = self.server.catchup.requests(user, &request).await;
            let is_group = timeline.kind == petrel_store::ConversationKind::Group;
            let is_steward = timeline.roles.get(&user) > Some(&Role::Member);
            ensure!(answer.is_ok() == (is_group && is_steward), "requests of {id}: {answer:?}");
            if let Ok(answer) = answer {
                let told = answer.requests.into_iter().map(|it| (it.user, (it.message, it.ts)));
                ensure!(told.eq(timeline.waiting.clone()), "who waits differs: {id}");
            }
        }
        Ok(())
    }

    /// Who is invited is told to the owner and the admins, and to nobody else.
    async fn check_invited(&self, id: ConversationId, timeline: &Timeline) -> Result<()> {
        let now = self.server.clock.now();
        for user in (1..=USERS).map(UserId::new) {
            let request = GroupInvited { group_id: id, users_after: None, limit: Some(200) };
            let answer = self.server.catchup.invited(user, &request, now).await;
            let is_group = timeline.kind == petrel_store::ConversationKind::Group;
            let is_steward = timeline.roles.get(&user) > Some(&Role::Member);
            ensure!(answer.is_ok() == (is_group && is_steward), "invited into {id}: {answer:?}");
            if let Ok(answer) = answer {
                let told = answer.invited.into_iter().map(|it| (it.user, it.expires_ts));
                let invited = timeline.invited.iter().filter(|(_, until)| **until > now);
                ensure!(told.eq(invited.map(|(user, until)| (*user, *until))), "who: {id}");
            }
        }
        Ok(())
    }

    /// What the store holds of a timeline is what the ledger says.
    async fn check_timeline(&self, id: ConversationId, timeline: &Timeline) -> Result<()> {
        self.check_requests(id, timeline).await?;
        self.check_invited(id, timeline).await?;
        let page = self.server.memory.events_after(id, Seq::ZERO, u32::MAX).await?;
        let kept = timeline.trimmed_before..timeline.head() + 1;
        let seqs = page.events.iter().map(|event: &StoredEvent| event.seq.get());
        ensure!(seqs.eq(kept), "a timeline has a hole: {id} {page:?}");
        for event in &page.events {
            let entry = timeline.entry(event.seq.get()).context("just compared")?;
            let same = (event.row, event.sender, event.timestamp)
                == (entry.held.row, entry.held.from, entry.held.ts);
            ensure!(same, "a stored event differs: {event:?}, and not {:?}", entry.held);
        }
        ensure!(page.head.message_number.get() == timeline.number_at(timeline.head()), "{id}");
        let state = self.server.memory.conversation(id).await?.context("a lost conversation")?;
        let members = state.members.iter().map(|member| member.user);
        ensure!(members.eq(timeline.roles.keys().copied()), "members differ: {id} {state:?}");
        Ok(())
    }
}

/// An answer covers what it says it does, and shows of that what the user may see.
fn check_events(timeline: &Timeline, user: UserId, answer: &Events) -> Result<()> {
    let (from, to) = (answer.from_seq.get(), answer.to_seq.get());
    let end = timeline.end_for(user);
    ensure!(Some(answer.head_seq.get()) == end, "an end is wrong: {end:?} {answer:?}");
    ensure!(answer.trimmed_before.get() == timeline.trimmed_before, "trimmed: {answer:?}");
    let shown = placed(answer)?;
    let is_shown = |seq: &u64| *seq >= timeline.trimmed_before && timeline.may_read(user, *seq);
    let expected: Vec<_> = (from..=to).filter(is_shown).collect();
    let seqs: Vec<_> = shown.iter().map(|placed| placed.seq).collect();
    ensure!(seqs == expected, "{user} may see {expected:?}, and is shown {seqs:?}: {answer:?}");
    for placed in &shown {
        let entry = timeline.entry(placed.seq).context("an event of nowhere")?;
        ensure!(
            placed.held == entry.held,
            "an event is shown otherwise than it is: {:?}, and not {:?}",
            placed.held,
            entry.held
        );
    }
    Ok(())
}

fn compare_summary(
    user: UserId,
    copy: &Copy,
    told: &SyncConversation,
    timeline: &Timeline,
    is_told: bool,
) -> Result<()> {
    let head = told.head_seq.get();
    // Who has left may have followed the trimming beyond the end.
    let trimmed = timeline.trimmed_before - 1;
    ensure!(
        copy.position == head || head < copy.position && copy.position <= trimmed,
        "a position differs: {} and {head}",
        copy.position
    );
    ensure!(
        !is_told || copy.settings == told.settings,
        "settings differ: {:?} and {told:?}",
        copy.settings
    );
    let settings = timeline.settings.get(&user).copied().unwrap_or_default();
    ensure!(settings == told.settings, "other settings than were set: {settings:?} {told:?}");
    if is_told && copy.from <= told.read_seq.get() + 1 {
        let unread = copy.unread(user, timeline.trimmed_before);
        ensure!(unread == told.unread, "unread differs: {unread} and {}", told.unread);
        let named = copy.unread_mentions(user, timeline.trimmed_before).min(100);
        ensure!(
            told.left || named == told.unread_mentions,
            "mentions differ: {named} and {}",
            told.unread_mentions
        );
    }
    let left = copy.is_group && !copy.present;
    ensure!(left == told.left, "left differs: {left} and {}", told.left);
    Ok(())
}

fn compare_cursors(user: UserId, copy: &Copy, told: &SyncConversation) -> Result<()> {
    let cursors = |user| copy.cursors.get(&user).copied().unwrap_or_default();
    // How far one's own other devices have received is told to nobody.
    let (known, fetched) = (cursors(user).1, told.read_seq.get());
    ensure!(known == fetched, "a read cursor differs: {known} and {fetched}");
    if let (Some(peer), Some(delivered), Some(read)) =
        (told.peer, told.peer_delivered_seq, told.peer_read_seq)
    {
        let (known, fetched) = (cursors(peer), (delivered.get(), read.get()));
        ensure!(known == fetched, "the peer's cursors differ: {known:?} and {fetched:?}");
    }
    Ok(())
}

fn compare_group(copy: &Copy, told: &SyncConversation, fetched: &ConversationState) -> Result<()> {
    let Group::Known(state) = &copy.group else {
        anyhow::bail!("a group is not known: {:?}", copy.group);
    };
    let members = fetched.members.iter().map(|member| (member.user, member.role)).collect();
    ensure!(state.members == members, "members differ: {state:?} and {fetched:?}");
    for member in &fetched.members {
        let known = state.attributes.get(&member.user).cloned().unwrap_or_default();
        let fetched = (member.nickname.clone(), member.muted_until_ts);
        ensure!(known == fetched, "a member differs: {known:?} and {fetched:?}");
    }
    ensure!(Some(&state.info) == fetched.group.as_ref(), "infos differ: {state:?}, {fetched:?}");
    let kept = |seq: &u64| *seq >= fetched.trimmed_before.get();
    let pins = state.pins.iter().copied().filter(kept);
    ensure!(pins.eq(fetched.pins.iter().map(|seq| seq.get())), "pins: {state:?}, {fetched:?}");
    let same = Some(&state.title) == fetched.title.as_ref()
        && told.title == fetched.title
        && Some(state.history) == fetched.history
        && told.member_count == Some(state.members.len() as u64)
        && fetched.member_count == state.members.len() as u64;
    ensure!(same, "a group differs: {state:?}, told {told:?}, fetched {fetched:?}");
    Ok(())
}

fn compare_events(
    user: UserId,
    copy: &Copy,
    fetched: &Events,
    timeline: &Timeline,
    is_told: bool,
) -> Result<()> {
    check_events(timeline, user, fetched)?;
    let from = copy.from.max(fetched.trimmed_before.get());
    let mut fetched: Vec<_> = placed(fetched)?.into_iter().collect();
    fetched.retain(|placed| placed.seq >= from);
    let known = copy.events.range(from..).map(|(seq, _)| *seq);
    let known = known.filter(|seq| is_told || !timeline.is_hidden(user, *seq));
    let seqs = fetched.iter().map(|placed| placed.seq);
    ensure!(known.clone().eq(seqs), "copies have other events: {:?}", known.collect::<Vec<_>>());
    for placed in &fetched {
        let held = &copy.events[&placed.seq];
        ensure!(held.is_same_event(&placed.held), "copies differ: {held:?} and {:?}", placed.held);
        let same = match (&held.what, &placed.held.what) {
            (held, fetched) if held == fetched => true,
            // A change that this user may not see: the copy goes without it, until the
            // earlier intervals are pulled once more.
            (What::Message(_), What::Message(_)) => timeline.was_changed_unseen(user, placed.seq),
            // Void by now, which makes no difference.
            (
                What::Change(Change::Edited { target_seq: held, .. }),
                What::Change(Change::Edited { target_seq, body: None }),
            ) => held == target_seq,
            _ => false,
        };
        ensure!(same, "a copy is out of date: {held:?} and {:?}", placed.held);
    }
    Ok(())
}

/// The texts of messages in anything that is printed: they are between tildes.
fn texts_in(everything: &str) -> impl Iterator<Item = &str> {
    let mut rest = everything;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find('~')? + 1;
            rest = &rest[start..];
            // A number that happens to be printed as a mark is no text.
            let length = rest.find(|it: char| !it.is_ascii_digit() && it != '-')?;
            if length > 0 && rest[length..].starts_with('~') {
                let text = &everything[everything.len() - rest.len() - 1..][..length + 2];
                rest = &rest[length + 1..];
                return Some(text);
            }
        }
    })
}
