//! What is left of the groups when all is over: asked of the server, of the devices and
//! of the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use petrel_protocol::frame::{Change, ConversationKind};
use petrel_testkit::PATIENCE;
use petrel_testkit::checker::group::{Asked, GroupHistory};
use petrel_testkit::checker::{Event, Message, Said};
use petrel_testkit::client::Client;
use petrel_testkit::server::Server;
use petrel_types::{ConversationId, Seq, UserId};

use super::chatter::Chatted;
use super::chatter_ids;
use super::observer::Observed;
use super::steward::Ruled;
use crate::files::Uploader;

/// The histories of all groups, each pulled as everybody who may know it.
pub(super) async fn group_histories(
    server: &Server,
    ruled: Vec<Ruled>,
    chatted: &[Chatted],
    copies: &[(UserId, Observed)],
) -> Result<Vec<GroupHistory>> {
    let mut histories = Vec::new();
    for ruled in ruled {
        let group = ruled.group()?;
        let said = chatted.iter().flat_map(|it| &it.sent).filter(|(_, it)| it.group == group);
        let said = said
            .map(|(user, it)| ((*user, it.name.clone()), Asked::Message(Message::text(&it.text))));
        let refused = chatted.iter().flat_map(|it| &it.refused);
        let refused = refused.filter(|(_, it)| it.group == group);
        let acks = chatted.iter().flat_map(|it| &it.acks);
        let acks = acks.filter(|(_, ack)| ack.conversation_id == group).cloned();
        let connections = chatted.iter().flat_map(|it| &it.pushes).chain(&ruled.pushes);
        let of_group = |pushes: &Vec<(UserId, Event)>| {
            pushes.iter().filter(|(_, event)| event.conversation == group).cloned().collect()
        };
        let copy_of =
            |(user, copies): &(UserId, Observed)| Some((*user, copies.get(&group)?.clone()));
        let mut owner = server.connect(ruled.owner, "auditor").await?;
        let (members, pins) = owner.members(group).await?;
        histories.push(GroupHistory {
            group,
            owner: ruled.owner,
            asked: ruled.asked.into_iter().map(|(u, n, it)| ((u, n), it)).chain(said).collect(),
            acks: ruled.acks.into_iter().chain(acks).collect(),
            refused: refused.map(|(user, it)| (*user, it.name.clone())).collect(),
            pushes: connections.map(of_group).collect(),
            views: views_of(server, group, ruled.owner).await?,
            copies: copies.iter().filter_map(copy_of).collect(),
            expected: ruled.members,
            members,
            pins,
        });
    }
    Ok(histories)
}

/// What everybody who ever was in a group may pull of it. To all others there is no such
/// group.
async fn views_of(
    server: &Server,
    group: ConversationId,
    owner: UserId,
) -> Result<BTreeMap<UserId, Vec<Event>>> {
    let mut views = BTreeMap::new();
    for user in chatter_ids().chain([owner]) {
        let mut client = server.connect(user, "auditor").await?;
        let synced = client.sync_all(None).await?.conversations;
        if synced.iter().any(|entry| entry.conversation_id == group) {
            views.insert(user, client.pull_events(group, Seq::ZERO).await?.events);
        } else {
            let error = client.pull_events(group, Seq::ZERO).await.err();
            ensure!(error.is_some(), "{user} was told of no group {group}, and can pull it");
        }
    }
    Ok(views)
}

/// Everybody's personal timeline tells of each joining and each leaving once. That comes
/// a little after the changes, and no client can see when, so this asks again and again.
pub(super) async fn check_notices(server: &Server, histories: &[GroupHistory]) -> Result<()> {
    let mut owed: BTreeMap<UserId, Notices> = BTreeMap::new();
    for history in histories {
        for event in &history.views[&history.owner] {
            for (user, change) in notices_of(history, event) {
                *owed.entry(user).or_default().entry(format!("{change:?}")).or_default() += 1;
            }
        }
    }
    for (user, owed) in owed {
        let mut client = server.connect(user, "auditor").await?;
        let poll = async {
            loop {
                let told = notices_told(&mut client).await?;
                let is_more = |(what, count): (&String, &u64)| owed.get(what) < Some(count);
                ensure!(!told.iter().any(is_more), "{user} is owed {owed:?}, and told {told:?}");
                if told == owed {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, poll)
            .await
            .with_context(|| format!("{user} is not told of {owed:?}"))??;
    }
    Ok(())
}

/// How often a user is told of what.
type Notices = BTreeMap<String, u64>;

/// What an event of a group must tell users in their personal timelines.
fn notices_of(history: &GroupHistory, event: &Event) -> Vec<(UserId, Change)> {
    let conversation_id = history.group;
    let added = Change::ConversationAdded { conversation_id };
    let removed = Change::ConversationRemoved { conversation_id };
    let (users, change) = match &event.said {
        Said::Change(Change::GroupCreated { members, .. }) => {
            ([members.as_slice(), &[event.from]].concat(), added)
        }
        Said::Change(Change::MembersAdded { members }) => (members.clone(), added),
        Said::Change(Change::MembersRemoved { members }) => (members.clone(), removed),
        Said::Change(Change::MemberLeft) => (vec![event.from], removed),
        _ => return Vec::new(),
    };
    users.into_iter().map(|user| (user, change.clone())).collect()
}

async fn notices_told(client: &mut Client) -> Result<Notices> {
    let mut told = Notices::new();
    let conversations = client.sync_all(None).await?.conversations;
    let personal = conversations.iter().find(|it| it.kind == ConversationKind::Personal);
    if let Some(personal) = personal {
        let events = client.pull_events(personal.conversation_id, Seq::ZERO).await?.events;
        for event in events {
            if let Said::Change(change) = event.said {
                *told.entry(format!("{change:?}")).or_default() += 1;
            }
        }
    }
    Ok(told)
}

/// A file is there as long as a message refers to it, and gone when none does. Returns how
/// many are there and how many are gone.
pub(super) async fn check_files(
    server: &Server,
    histories: &[GroupHistory],
    files: &[(String, String)],
) -> Result<(usize, usize)> {
    let (mut kept, mut gone) = (0, 0);
    for history in histories {
        let owner = Uploader::new(server, history.owner)?;
        let (living, over) = history.files();
        for file in &living {
            let (_, text) = files.iter().find(|(id, _)| id == file).context("a strange file")?;
            let content = owner.content(file).await.with_context(|| format!("file {file}"))?;
            ensure!(content == text.as_bytes(), "{file} is not {text:?}: {content:?}");
        }
        for file in &over {
            let reason = owner.refused("GET", &format!("/api/files/{file}"), b"").await?;
            ensure!(reason == "file_not_found", "{file}, which no message has: {reason}");
        }
        (kept, gone) = (kept + living.len(), gone + over.len());
    }
    Ok((kept, gone))
}

/// No erased text is anywhere in the files of a server that has ended in peace. Returns
/// how many were looked for.
pub(super) fn check_erasure(data: &Path, histories: &[GroupHistory]) -> Result<usize> {
    let mut found = BTreeMap::new();
    read_texts(data, &mut found)?;
    let mut erased = 0;
    for history in histories {
        for text in history.erased_texts() {
            erased += 1;
            if let Some(path) = found.get(text) {
                let (path, about) = (path.display(), history.about(text));
                bail!("{text} was erased, and is in {path}; what is known of it: {about:#?}");
            }
        }
        let is_kept = |event: &Event| match &event.said {
            Said::Message(message) => message.body.is_empty() || found.contains_key(&message.body),
            Said::Change(_) => true,
        };
        let lost = history.views[&history.owner].iter().find(|event| !is_kept(event));
        ensure!(lost.is_none(), "not found in the data directory: {lost:?}");
    }
    Ok(erased)
}

/// Every text between tildes in all files of a directory, and the file that it is in.
fn read_texts(directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_texts(&path, found)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        for part in bytes.split(|byte| *byte == b'~') {
            if part.len() < 32
                && let Ok(text) = std::str::from_utf8(part)
            {
                found.insert(format!("~{text}~"), path.clone());
            }
        }
    }
    Ok(())
}
