//! Groups under power cuts: what is asked of them, and whether what is stored fits
//! together afterwards.
//!
//! A change of a group touches several tables: events, memberships, profiles, payloads of
//! earlier events, derivations. After a cut all of it must be of the same moment, the one
//! that the events tell of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, ensure};
use petrel_log::{Command, Content, Destination, Origin, Request, SendRequest};
use petrel_protocol::frame::{Change, History as HistorySetting};
use petrel_store::{ConversationKind, ConversationState, Derivation, Store, StoredEvent};
use petrel_types::{ClientMessageId, ConversationId, Seq, UserId};

use crate::check::read_timeline;
use crate::history::{Ask, History, Place};
use crate::{messages, own};

/// The tags of commands about groups begin here.
pub(crate) const TAG_FIRST: u64 = 1 << 40;
/// How many groups there are.
const GROUPS: usize = 3;
/// Conversations and derivations that are read at once.
const PAGE: u32 = 50;

/// What the founder of some group wants next.
pub(crate) fn next_ask(history: &History, users: u64, random: &mut fastrand::Rng) -> Option<Ask> {
    let name = format!("ask-{}", history.asks.len());
    let is_creation = |ask: &&Ask| matches!(ask.content, Content::CreateGroup { .. });
    let some_users = |random: &mut fastrand::Rng| {
        (0..random.usize(1..4)).map(|_| UserId::new(1 + random.u64(..users))).collect()
    };
    if history.asks.iter().filter(is_creation).count() < GROUPS {
        let actor = UserId::new(1 + random.u64(..users));
        let members = some_users(random);
        let history = if random.bool() { HistorySetting::All } else { HistorySetting::Joined };
        let content = Content::CreateGroup { title: name.clone(), members, history };
        return Some(Ask::new(actor, Destination::NewGroup, content, name));
    }
    let founded: Vec<_> = history.asks.iter().filter(is_creation).collect();
    let founded = random.choice(founded)?;
    let group = founded.saved.as_ref()?.what.conversation;
    let is_message = |ask: &&Ask| matches!(ask.content, Content::Text(_) | Content::Message(_));
    let said: Vec<_> = history
        .asks
        .iter()
        .filter(|ask| is_message(ask) && ask.group() == Some(group))
        .filter_map(|ask| Some(ask.saved.as_ref()?.what.seq))
        .collect();
    let text = format!("~{name}~");
    let content = match (random.u8(..20), random.choice(said)) {
        (0..3, _) => Content::AddMembers(some_users(random)),
        (3, _) => Content::RemoveMembers(some_users(random)),
        (4, _) => Content::SetTitle(name.clone()),
        (5..7, Some(target)) => Content::Recall { target },
        (7, Some(target)) => Content::Edit { target, body: text },
        (8..10, Some(target)) => own::about(target, random),
        (10..16, Some(target)) => {
            messages::about(history, founded.actor, (group, target), text, random)
        }
        _ => Content::Text(text),
    };
    Some(Ask::new(founded.actor, Destination::Conversation(group), content, name))
}

/// The command that asks.
pub(crate) fn command(ask: &Ask, index: usize, origin: Origin) -> Result<Command> {
    let request = Request::Send(SendRequest {
        to: ask.to,
        client_message_id: ClientMessageId::new(ask.name.as_str())?,
        content: ask.content.clone(),
        retry: true,
        first_sent: None,
    });
    let origin = Origin { tag: TAG_FIRST + index as u64, ..origin };
    Ok(Command { origin, actor: ask.actor, request })
}

/// The command that carries out what follows from a change.
pub(crate) fn carry_out(derivation: &Derivation) -> Result<Command> {
    let entry: serde_json::Value = serde_json::from_slice(&derivation.command)?;
    let request = Request::Derived {
        home: derivation.id.home,
        number: derivation.id.number,
        user: serde_json::from_value(entry["user"].clone())?,
        entry: derivation.command.clone(),
    };
    let actor = serde_json::from_value(entry["actor"].clone())?;
    Ok(Command { origin: Origin::NOBODY, actor, request })
}

/// How often users are told that they are in a group, or no longer.
type Notices = BTreeMap<(UserId, String), u64>;

/// What was read of all timelines but single chats.
#[derive(Default)]
pub(crate) struct Read {
    /// Where everything is, by who asked for it under which name.
    pub(crate) places: HashMap<(UserId, String), Place>,
    /// What users were told, or are still to be told, in their personal timelines.
    pub(crate) told: BTreeMap<UserId, Told>,
    /// The groups, with their events.
    pub(crate) groups: Vec<(ConversationState, Vec<StoredEvent>)>,
    /// What pairs have done.
    pub(crate) pairs: Vec<((UserId, UserId), Vec<StoredEvent>)>,
}

/// What a user was told, and is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) already: Vec<Change>,
    pub(crate) later: Vec<Change>,
}

/// Compares what is stored of groups, of pairs and of what is one's own with what was said of
/// it, and with itself.
pub(crate) async fn check(store: &dyn Store, history: &History) -> Result<()> {
    let asks: HashMap<_, _> =
        history.asks.iter().map(|ask| ((ask.actor, ask.name.as_str()), ask)).collect();
    let read = read(store, &asks).await?;
    let mut owed = Notices::new();
    let mut texts = String::new();
    for (state, events) in &read.groups {
        check_group(state, events, &mut owed)?;
        messages::check(state, events)?;
        for event in events {
            let payload = String::from_utf8_lossy(&event.payload);
            // What was sent on stays when it is taken back elsewhere.
            if !payload.contains("forwardedFrom") {
                texts.push_str(&payload);
            }
        }
    }
    for ask in &history.asks {
        let Some(saved) = &ask.saved else { continue };
        let found = read.places.get(&(ask.actor, ask.name.clone()));
        ensure!(found == Some(&saved.what), "acked message lost: {ask:?}, and there is {found:?}");
    }
    check_erasure(history, &texts)?;
    messages::check_files(store, history, &read).await?;
    own::check(history, &asks, &read)?;
    let mut told = Notices::new();
    for (user, notices) in &read.told {
        for change in notices.already.iter().chain(&notices.later) {
            if matches!(
                change,
                Change::ConversationAdded { .. } | Change::ConversationRemoved { .. }
            ) {
                count(&mut told, *user, change);
            }
        }
    }
    ensure!(owed == told, "told or to be told is {told:?}, and owed {owed:?}");
    Ok(())
}

/// Reads all timelines but single chats, in which everything must have been asked for, once.
async fn read(store: &dyn Store, asks: &HashMap<(UserId, &str), &Ask>) -> Result<Read> {
    let mut read = Read::default();
    let mut after = ConversationId::new(0);
    loop {
        let page = store.conversations_after(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.conversation.id;
        for summary in &page {
            let id = summary.conversation.id;
            if matches!(summary.conversation.kind, ConversationKind::Single { .. }) {
                continue;
            }
            let events = read_timeline(store, id).await?;
            for (event, seq) in events.iter().zip(1..) {
                ensure!(event.seq == Seq::new(seq), "{id} has {} at {seq}", event.seq);
            }
            ensure!(summary.head.seq.get() == events.len() as u64, "the head of {id}: {summary:?}");
            if let ConversationKind::Personal { user } = summary.conversation.kind {
                let told = read.told.entry(user).or_default();
                for event in &events {
                    told.already.push(serde_json::from_slice(&event.payload)?);
                }
                continue;
            }
            for event in &events {
                let name = event.client_message_id.clone().context("an event without a name")?;
                let key = (event.sender, name.as_str());
                ensure!(asks.contains_key(&key), "nobody has asked for {event:?}");
                let place = Place { conversation: id, seq: event.seq, row: event.row };
                let key = (event.sender, name.as_str().to_owned());
                ensure!(read.places.insert(key, place).is_none(), "{name} is stored twice");
            }
            if let ConversationKind::Pair { low, high } = summary.conversation.kind {
                read.pairs.push(((low, high), events));
            } else {
                let state = store.conversation(id).await?;
                let state = state.with_context(|| format!("{id} has no state"))?;
                read.groups.push((state, events));
            }
        }
    }
    read_unsettled(store, &mut read.told).await?;
    Ok(read)
}

/// The members are those that the events tell of.
fn check_group(
    state: &ConversationState,
    events: &[StoredEvent],
    owed: &mut Notices,
) -> Result<()> {
    let id = state.summary.conversation.id;
    let mut members = BTreeSet::new();
    let added = Change::ConversationAdded { conversation_id: id };
    let removed = Change::ConversationRemoved { conversation_id: id };
    for event in events {
        match change_of(event)? {
            Some(Change::GroupCreated { members: others, .. }) => {
                for user in others.into_iter().chain([event.sender]) {
                    members.insert(user);
                    count(owed, user, &added);
                }
            }
            Some(Change::MembersAdded { members: joining }) => {
                for user in joining {
                    members.insert(user);
                    count(owed, user, &added);
                }
            }
            Some(Change::MembersRemoved { members: leaving }) => {
                for user in leaving {
                    members.remove(&user);
                    count(owed, user, &removed);
                }
            }
            _ => {}
        }
    }
    let stored: BTreeSet<_> = state.members.iter().map(|member| member.user).collect();
    ensure!(stored == members, "members of {id} are {stored:?}, by its events {members:?}");
    Ok(())
}

/// The change that an event is, unless it is a message.
pub(crate) fn change_of(event: &StoredEvent) -> Result<Option<Change>> {
    let payload: serde_json::Value = serde_json::from_slice(&event.payload)?;
    if payload["kind"] == "message" {
        return Ok(None);
    }
    Ok(Some(serde_json::from_value(payload)?))
}

/// What an acked recall or edit has taken away is in no payload any more.
fn check_erasure(history: &History, texts: &str) -> Result<()> {
    for change in history.asks.iter().filter(|ask| ask.saved.is_some()) {
        let (Content::Recall { target } | Content::Edit { target, .. }) = &change.content else {
            continue;
        };
        let is_target = |ask: &&Ask| {
            let place = ask.saved.as_ref().map(|saved| (saved.what.conversation, saved.what.seq));
            place == change.group().map(|group| (group, *target))
        };
        let Some(Content::Text(text)) = history.asks.iter().find(is_target).map(|it| &it.content)
        else {
            continue;
        };
        ensure!(!texts.contains(text), "{text} lingers after {change:?}");
    }
    Ok(())
}

async fn read_unsettled(store: &dyn Store, told: &mut BTreeMap<UserId, Told>) -> Result<()> {
    let mut after = None;
    loop {
        let page = store.unsettled(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for derivation in &page {
            let entry: serde_json::Value = serde_json::from_slice(&derivation.command)?;
            let user = serde_json::from_value(entry["user"].clone())?;
            let change = serde_json::from_value(entry["change"].clone())?;
            told.entry(user).or_default().later.push(change);
        }
    }
}

fn count(notices: &mut Notices, user: UserId, change: &Change) {
    *notices.entry((user, format!("{change:?}"))).or_default() += 1;
}
