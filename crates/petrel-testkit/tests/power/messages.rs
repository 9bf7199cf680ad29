//! What messages of groups have become under power cuts: reactions, pins, replies, what was
//! sent on, and the files that go with them.
//!
//! Each of these is kept in another place than the event that tells of it. After a cut all of
//! it must be of the same moment: *state fetched = old state + events*.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use petrel_log::{Content, NewMessage};
use petrel_protocol::frame::{AttachmentRef, Change, Forward, MessageType, Reaction};
use petrel_store::{ConversationState, Store, StoredEvent};
use petrel_types::{ConversationId, FileId, Seq, UserId};
use serde_json::Value;

use crate::groups::{Read, change_of};
use crate::history::History;

/// Something about a message: a sign, a pin, an answer, or the same again; or a file.
pub(crate) fn about(
    history: &History,
    actor: UserId,
    (group, target): (ConversationId, Seq),
    body: String,
    random: &mut fastrand::Rng,
) -> Content {
    let remove = random.u8(..3) == 0;
    let files = history.files.iter().filter(|uploaded| uploaded.what.owner == actor);
    let file = random.choice(files.map(|uploaded| uploaded.what.file).collect::<Vec<_>>());
    let message = match (random.u8(..10), file) {
        (0..3, _) => {
            let emoji = ["+1", "bird"][random.usize(..2)].to_owned();
            return Content::React { target, emoji, remove };
        }
        (3..5, _) => return Content::Pin { target, remove },
        (5, _) => NewMessage { body, reply_to: Some(target), ..NewMessage::default() },
        (6, _) => {
            let forward = Some(Forward { conversation_id: group, msg_seq: target });
            NewMessage { forward, ..NewMessage::default() }
        }
        (_, Some(file)) => {
            let (duration_ms, width, height) = Default::default();
            let file_id = file.to_string();
            let attachment = AttachmentRef { file_id, duration_ms, width, height };
            let attachment = Some(Box::new(attachment));
            NewMessage { body, msg_type: MessageType::File, attachment, ..NewMessage::default() }
        }
        _ => return Content::Text(body),
    };
    Content::Message(Box::new(message))
}

/// What the messages of a group are, and what is pinned, follows from its events.
pub(crate) fn check(state: &ConversationState, events: &[StoredEvent]) -> Result<()> {
    let id = state.summary.conversation.id;
    let mut reactions: BTreeMap<Seq, Vec<Reaction>> = BTreeMap::new();
    let mut revisions: BTreeMap<Seq, Seq> = BTreeMap::new();
    let mut pins = Vec::new();
    for event in events {
        match change_of(event)? {
            Some(Change::Reacted { target_seq, emoji, removed }) => {
                let known = reactions.entry(target_seq).or_default();
                react(known, event.sender, emoji, removed);
                revisions.insert(target_seq, event.seq);
            }
            Some(Change::Pinned { target_seq, removed: false }) => pins.push(target_seq),
            Some(Change::Pinned { target_seq, .. }) => pins.retain(|seq| *seq != target_seq),
            Some(Change::Recalled { target_seq }) => {
                pins.retain(|seq| *seq != target_seq);
                reactions.remove(&target_seq);
                revisions.insert(target_seq, event.seq);
            }
            Some(Change::Edited { target_seq, .. }) => {
                revisions.insert(target_seq, event.seq);
            }
            _ => {}
        }
    }
    for event in events {
        let payload: Value = serde_json::from_slice(&event.payload)?;
        if payload["kind"] != "message" {
            continue;
        }
        let stored: Vec<Reaction> = match &payload["reactions"] {
            Value::Null => Vec::new(),
            reactions => serde_json::from_value(reactions.clone())?,
        };
        let expected = reactions.remove(&event.seq).unwrap_or_default();
        ensure!(stored == expected, "reactions of {event:?}, by the events {expected:?}");
        let revision = revisions.get(&event.seq).map_or(0, |seq| seq.get());
        let stored = payload["rev"].as_u64().unwrap_or(0);
        ensure!(stored == revision, "{event:?} was changed last at {revision}");
    }
    ensure!(reactions.values().all(Vec::is_empty), "reactions to nothing in {id}: {reactions:?}");
    let profile: Value = serde_json::from_slice(&state.summary.profile)?;
    let stored: Vec<Seq> = match &profile["pins"] {
        Value::Null => Vec::new(),
        pins => serde_json::from_value(pins.clone())?,
    };
    ensure!(stored == pins, "pins of {id} are {stored:?}, by its events {pins:?}");
    Ok(())
}

fn react(known: &mut Vec<Reaction>, by: UserId, emoji: String, removed: bool) {
    let place = known.iter().position(|it| it.emoji == emoji);
    match (removed, place) {
        (false, Some(place)) => known[place].users.push(by),
        (false, None) => known.push(Reaction { emoji, users: vec![by] }),
        (true, Some(place)) => known[place].users.retain(|user| *user != by),
        (true, None) => {}
    }
    known.retain(|it| !it.users.is_empty());
}

/// A file is there as long as a message refers to it, and its bytes are garbage when the last
/// one is recalled.
pub(crate) async fn check_files(store: &dyn Store, history: &History, read: &Read) -> Result<()> {
    let mut living: BTreeMap<FileId, BTreeSet<(ConversationId, Seq)>> = BTreeMap::new();
    for event in read.groups.iter().flat_map(|(_, events)| events) {
        let payload: Value = serde_json::from_slice(&event.payload)?;
        if let Some(file) = payload["attachment"]["fileId"].as_str() {
            let file = FileId::new(file.parse()?);
            living.entry(file).or_default().insert((event.conversation, event.seq));
        }
    }
    let mut sent = BTreeSet::new();
    for ask in &history.asks {
        if let Content::Message(message) = &ask.content
            && let Some(attachment) = &message.attachment
            && read.places.contains_key(&(ask.actor, ask.name.clone()))
        {
            sent.insert(FileId::new(attachment.file_id.parse()?));
        }
    }
    let garbage = store.garbage(u32::MAX).await?;
    for uploaded in &history.files {
        let (file, owner) = (uploaded.what.file, uploaded.what.owner);
        let expected = living.remove(&file).unwrap_or_default();
        let found = store.file(file).await?;
        let context = || format!("{uploaded:?}, and messages {expected:?} refer to it: {found:?}");
        if expected.is_empty() && sent.contains(&file) {
            ensure!(found.is_none(), "gone with its last message is {}", context());
            let is_garbage = garbage.contains(&uploaded.what.object);
            ensure!(is_garbage, "not known as garbage is {}", context());
            continue;
        }
        let stored = found.as_ref().with_context(context)?;
        ensure!(stored.expires.is_none() != expected.is_empty(), "it expires: {}", context());
        let references = store.references_for(file, owner, u32::MAX).await?;
        let references: BTreeSet<_> = references.into_iter().collect();
        ensure!(references == expected, "references are {references:?}: {}", context());
    }
    ensure!(living.is_empty(), "messages refer to files that nobody was told of: {living:?}");
    Ok(())
}
