//! Is everything true that the server has said, and nothing there that nobody sent?

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, ensure};
use petrel_store::{ConversationKind, ConversationState, Store, StoredEvent, SyncEntry};
use petrel_types::{ClientMessageId, ConversationId, LoginId, Seq, UserId};

use crate::groups;
use crate::history::{History, LoginStage, Message, Place, ToldLogin};

/// Events read at once, few enough that timelines take several reads.
const PAGE_EVENTS: u32 = 100;
/// Conversations read at once.
const PAGE_CONVERSATIONS: u32 = 4;
/// Look-ups of single messages: the latest, and as many others.
const MESSAGES_LOOKED_UP: usize = 64;

/// A conversation as it is stored.
struct Timeline {
    state: ConversationState,
    events: Vec<StoredEvent>,
}

/// Compares what a store holds with what its users were told.
pub(crate) async fn check(
    store: &dyn Store,
    history: &History,
    random: &mut fastrand::Rng,
) -> Result<()> {
    for epoch in &history.epochs {
        let now = store.epoch();
        ensure!(now == epoch.what, "the epoch was {}, and now it is {now}", epoch.what);
    }
    let timelines = read_timelines(store, history).await?;
    check_origins(&timelines, history)?;
    check_acks(&timelines, history)?;
    check_cursors(&timelines, history)?;
    check_lookups(store, history, random).await?;
    check_sync(store, &timelines, history).await?;
    groups::check(store, history).await?;
    for registered in &history.users {
        let (user, name) = (registered.what.user, &registered.what.name);
        let found = store.user_by_name(name).await?.map(|found| found.id);
        ensure!(found == Some(user), "{name} was registered as {user}, and now is {found:?}");
        ensure!(store.user(user).await?.is_some(), "user {user} is not found by the id");
    }
    check_logins(store, history).await
}

/// Every log-in is where it was said to be, or further.
async fn check_logins(store: &dyn Store, history: &History) -> Result<()> {
    let ended = store.ended_logins(LoginId::default(), u32::MAX).await?;
    let ended: HashSet<LoginId> = ended.into_iter().map(|ended| ended.id).collect();
    for told in &history.logins {
        let ToldLogin { login, stage, ends } = told.what;
        let now = match store.login(login).await? {
            Some(found) => u64::from(found.refresh.current[0]),
            None if ended.contains(&login) => LoginStage::Ended as u64,
            None => 0,
        };
        let last = if ends { LoginStage::Ended } else { LoginStage::Refreshed };
        ensure!(
            (stage as u64..=last as u64).contains(&now),
            "log-in {login} was {stage:?}, and now is at {now}"
        );
    }
    Ok(())
}

/// Reads all timelines, which must be contiguous and end where their heads say.
async fn read_timelines(
    store: &dyn Store,
    history: &History,
) -> Result<BTreeMap<ConversationId, Timeline>> {
    let pairs: HashSet<_> =
        history.messages.iter().map(|it| (it.sender.min(it.to), it.sender.max(it.to))).collect();
    let mut timelines = BTreeMap::new();
    for (low, high) in pairs {
        let Some(id) = store.single_chat(low, high).await? else { continue };
        let state = store.conversation(id).await?;
        let state = state.with_context(|| format!("conversation {id} has no state"))?;
        ensure!(
            state.summary.conversation.kind == ConversationKind::Single { low, high },
            "{state:?}"
        );
        let events = read_timeline(store, id).await?;
        for (event, seq) in events.iter().zip(1..) {
            ensure!(event.seq == Seq::new(seq), "conversation {id} has {} at {seq}", event.seq);
            ensure!(event.message_number.get() == seq, "message number of {seq} in {id}");
        }
        ensure!(events.is_sorted_by(|one, next| one.row < next.row), "rows of {id}");
        let head = state.summary.head.seq.get();
        ensure!(
            head == events.len() as u64,
            "the head of {id} is {head}, and there are {} events",
            events.len()
        );
        timelines.insert(id, Timeline { state, events });
    }
    Ok(timelines)
}

pub(crate) async fn read_timeline(
    store: &dyn Store,
    id: ConversationId,
) -> Result<Vec<StoredEvent>> {
    let mut events: Vec<StoredEvent> = Vec::new();
    loop {
        let after = events.last().map_or(Seq::ZERO, |event| event.seq);
        let page = store.events_after(id, after, PAGE_EVENTS).await?;
        if page.events.is_empty() {
            return Ok(events);
        }
        events.extend(page.events);
    }
}

/// Every event is a message that was sent, and is there once.
fn check_origins(timelines: &BTreeMap<ConversationId, Timeline>, history: &History) -> Result<()> {
    let sent: HashMap<_, _> =
        history.messages.iter().map(|it| ((it.sender, it.name.as_str()), it)).collect();
    let mut names = HashSet::new();
    let mut rows = HashSet::new();
    for event in timelines.values().flat_map(|timeline| &timeline.events) {
        let at = format!("{} of conversation {}", event.seq, event.conversation);
        let name = event.client_message_id.as_ref().map_or("", |name| name.as_str());
        let message = sent.get(&(event.sender, name));
        let message = message.with_context(|| format!("{at}: nobody has sent '{name}'"))?;
        ensure!(names.insert((event.sender, name)), "{at}: {name} is stored twice");
        ensure!(rows.insert(event.row), "{at}: row {} is used twice", event.row);
        let payload: serde_json::Value =
            serde_json::from_slice(&event.payload).with_context(|| format!("{at}: payload"))?;
        ensure!(payload["body"] == message.body.as_str(), "{at}: the body of {name} has changed");
    }
    Ok(())
}

/// Every acked message is where its ack says.
fn check_acks(timelines: &BTreeMap<ConversationId, Timeline>, history: &History) -> Result<()> {
    for (message, saved) in history.saved() {
        let Place { conversation, seq, row } = saved.what;
        let timeline = timelines.get(&conversation);
        let events = timeline.map_or(&[][..], |timeline| &timeline.events);
        let found = usize::try_from(seq.get() - 1).ok().and_then(|index| events.get(index));
        ensure!(
            found.is_some_and(|found| is_at(found, message, saved.what)),
            "acked message lost: {} was acked after entry {} as {seq} of conversation \
             {conversation}, row {row}, and there is {}; the timeline ends at {}",
            message.name,
            saved.told,
            found.map_or("nothing".to_owned(), |it| format!(
                "{:?}, row {}",
                it.client_message_id, it.row
            )),
            events.len()
        );
    }
    Ok(())
}

fn is_at(event: &StoredEvent, message: &Message, place: Place) -> bool {
    (event.conversation, event.seq, event.row) == (place.conversation, place.seq, place.row)
        && event.sender == message.sender
        && event.client_message_id.as_ref().is_some_and(|name| name.as_str() == message.name)
}

/// No cursor is behind what others were told, or beyond the end.
fn check_cursors(timelines: &BTreeMap<ConversationId, Timeline>, history: &History) -> Result<()> {
    for told in history.cursors.iter().map(|told| told.what) {
        let state = timelines.get(&told.conversation).map(|timeline| &timeline.state);
        let member = state.and_then(|it| it.members.iter().find(|it| it.user == told.user));
        ensure!(
            member.is_some_and(
                |it| it.cursors.delivered >= told.delivered && it.cursors.read >= told.read
            ),
            "others were told {told:?}, and there is {member:?}"
        );
    }
    for Timeline { state, .. } in timelines.values() {
        for member in &state.members {
            let furthest = member.cursors.delivered.max(member.cursors.read);
            ensure!(
                furthest <= state.summary.head.seq,
                "{member:?} is beyond the head {:?}",
                state.summary.head
            );
        }
    }
    Ok(())
}

/// The latest acked messages and some others are found by their names and rows.
async fn check_lookups(
    store: &dyn Store,
    history: &History,
    random: &mut fastrand::Rng,
) -> Result<()> {
    let saved: Vec<_> = history.saved().collect();
    let latest = saved.iter().rev().take(MESSAGES_LOOKED_UP);
    let some =
        (0..MESSAGES_LOOKED_UP.min(saved.len())).map(|_| &saved[random.usize(..saved.len())]);
    for (message, saved) in latest.chain(some) {
        let Place { conversation, row, .. } = saved.what;
        let name = ClientMessageId::new(message.name.as_str())?;
        let named = store.find_message(conversation, message.sender, &name).await?;
        ensure!(
            named.is_some_and(|named| is_at(&named, message, saved.what)),
            "{} is not found by its name in conversation {conversation}",
            message.name
        );
        let at_row = store.event(row).await?;
        ensure!(
            at_row.is_some_and(|event| is_at(&event, message, saved.what)),
            "{} is not found at row {row}",
            message.name
        );
    }
    Ok(())
}

/// A new device is told of every conversation once, as it is.
async fn check_sync(
    store: &dyn Store,
    timelines: &BTreeMap<ConversationId, Timeline>,
    history: &History,
) -> Result<()> {
    let users: HashSet<UserId> =
        history.messages.iter().flat_map(|message| [message.sender, message.to]).collect();
    for user in users {
        let mut told = BTreeMap::new();
        let mut before = None;
        loop {
            let page =
                store.sync_page(user, Default::default(), before, PAGE_CONVERSATIONS).await?;
            let single = |entry: &&SyncEntry| {
                matches!(entry.conversation.kind, ConversationKind::Single { .. })
            };
            for entry in page.entries.iter().filter(single) {
                let twice = told.insert(entry.conversation.id, entry.clone());
                ensure!(twice.is_none(), "user {user} is told twice of {}", entry.conversation.id);
                ensure!(entry.stamp <= page.last_row, "a stamp above the last row: {entry:?}");
            }
            before = page.entries.last().map(|entry| entry.stamp);
            if !page.more {
                break;
            }
        }
        let own = timelines.values().filter(|it| it.state.members.iter().any(|m| m.user == user));
        for Timeline { state, events } in own {
            let id = state.summary.conversation.id;
            let entry = told.remove(&id);
            let entry = entry.with_context(|| format!("user {user} is not told of {id}"))?;
            let member = state.members.iter().find(|member| member.user == user);
            let same =
                entry.head == state.summary.head && Some(entry.own) == member.map(|it| it.cursors);
            ensure!(same, "user {user} is told {entry:?} of {state:?}");
            let last_row = events.last().map(|event| event.row);
            ensure!(Some(entry.stamp) >= last_row, "the stamp of {id} is below its last row");
        }
        ensure!(told.is_empty(), "user {user} is told of unknown conversations {told:?}");
    }
    Ok(())
}
