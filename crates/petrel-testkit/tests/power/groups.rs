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
use petrel_store::{ConversationKind, Derivation, Store, StoredEvent};
use petrel_types::{ClientMessageId, ConversationId, Seq, UserId};

use crate::check::read_timeline;
use crate::history::{Ask, History, Place};

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
    let said: Vec<_> = history
        .asks
        .iter()
        .filter(|ask| matches!(ask.content, Content::Text(_)) && ask.group() == Some(group))
        .filter_map(|ask| Some(ask.saved.as_ref()?.what.seq))
        .collect();
    let text = format!("~{name}~");
    let content = match (random.u8(..10), random.choice(said)) {
        (0..2, _) => Content::AddMembers(some_users(random)),
        (2, _) => Content::RemoveMembers(some_users(random)),
        (3, _) => Content::SetTitle(name.clone()),
        (4, Some(target)) => Content::Recall { target },
        (5, Some(target)) => Content::Edit { target, body: text },
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
    let notice: serde_json::Value = serde_json::from_slice(&derivation.command)?;
    let request = Request::Derived {
        home: derivation.id.home,
        number: derivation.id.number,
        user: serde_json::from_value(notice["user"].clone())?,
        notice: derivation.command.clone(),
    };
    let actor = serde_json::from_value(notice["actor"].clone())?;
    Ok(Command { origin: Origin::NOBODY, actor, request })
}

/// How often users are told that they are in a group, or no longer.
type Notices = BTreeMap<(UserId, String), u64>;

/// Compares what is stored of groups with what was said of them, and with itself.
pub(crate) async fn check(store: &dyn Store, history: &History) -> Result<()> {
    let asks: HashMap<_, _> =
        history.asks.iter().map(|ask| ((ask.actor, ask.name.as_str()), ask)).collect();
    let mut places = HashMap::new();
    let (mut owed, mut told) = (Notices::new(), Notices::new());
    let mut texts = String::new();
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
                for event in &events {
                    count(&mut told, user, &serde_json::from_slice(&event.payload)?);
                }
                continue;
            }
            check_group(store, id, &events, &asks, &mut owed).await?;
            for event in &events {
                texts.push_str(&String::from_utf8_lossy(&event.payload));
                let name = event.client_message_id.clone().context("an event without a name")?;
                let place = Place { conversation: id, seq: event.seq, row: event.row };
                let key = (event.sender, name.as_str().to_owned());
                ensure!(places.insert(key, place).is_none(), "{name} is stored twice");
            }
        }
    }
    for ask in &history.asks {
        let Some(saved) = &ask.saved else { continue };
        let found = places.get(&(ask.actor, ask.name.clone()));
        ensure!(found == Some(&saved.what), "acked message lost: {ask:?}, and there is {found:?}");
    }
    check_erasure(history, &texts)?;
    count_unsettled(store, &mut told).await?;
    ensure!(owed == told, "told or to be told is {told:?}, and owed {owed:?}");
    Ok(())
}

/// The members are those that the events tell of.
async fn check_group(
    store: &dyn Store,
    id: ConversationId,
    events: &[StoredEvent],
    asks: &HashMap<(UserId, &str), &Ask>,
    owed: &mut Notices,
) -> Result<()> {
    let mut members = BTreeSet::new();
    let added = Change::ConversationAdded { conversation_id: id };
    let removed = Change::ConversationRemoved { conversation_id: id };
    for event in events {
        let name = event.client_message_id.as_ref().map_or("", |name| name.as_str());
        ensure!(asks.contains_key(&(event.sender, name)), "nobody has asked for {event:?}");
        let payload: serde_json::Value = serde_json::from_slice(&event.payload)?;
        if payload["kind"] == "message" {
            continue;
        }
        match serde_json::from_value(payload)? {
            Change::GroupCreated { members: others, .. } => {
                for user in others.into_iter().chain([event.sender]) {
                    members.insert(user);
                    count(owed, user, &added);
                }
            }
            Change::MembersAdded { members: joining } => {
                for user in joining {
                    members.insert(user);
                    count(owed, user, &added);
                }
            }
            Change::MembersRemoved { members: leaving } => {
                for user in leaving {
                    members.remove(&user);
                    count(owed, user, &removed);
                }
            }
            _ => {}
        }
    }
    let state = store.conversation(id).await?.with_context(|| format!("{id} has no state"))?;
    let stored: BTreeSet<_> = state.members.iter().map(|member| member.user).collect();
    ensure!(stored == members, "members of {id} are {stored:?}, by its events {members:?}");
    Ok(())
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

async fn count_unsettled(store: &dyn Store, told: &mut Notices) -> Result<()> {
    let mut after = None;
    loop {
        let page = store.unsettled(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for derivation in &page {
            let notice: serde_json::Value = serde_json::from_slice(&derivation.command)?;
            let user = serde_json::from_value(notice["user"].clone())?;
            count(told, user, &serde_json::from_value(notice["change"].clone())?);
        }
    }
}

fn count(notices: &mut Notices, user: UserId, change: &Change) {
    *notices.entry((user, format!("{change:?}"))).or_default() += 1;
}
