//! What is one's own under power cuts: what users are to each other, what a group is to its
//! founder, and what the founder has deleted of it.
//!
//! It is kept in one place, and told later in the personal timelines. After a cut both must be
//! of the same moment: what is kept was told, or is still to be told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, ensure};
use petrel_log::{Content, Destination};
use petrel_protocol::frame::{Change, Contact, ContactAction, ConversationSettings, Direction};
use petrel_types::{ConversationId, Seq, UserId};
use serde_json::Value;

use crate::groups::{Read, Told};
use crate::history::{Ask, History};

/// How many pairs are something to each other, and who is the first of them: nobody who writes
/// to others, as a block is in the way of that.
const PAIRS: u64 = 2;
const FIRST: u64 = 101;

/// Something that one of two users wants of the other.
pub(crate) fn next_ask(history: &History, random: &mut fastrand::Rng) -> Ask {
    let name = format!("ask-{}", history.asks.len());
    let low = FIRST + 2 * random.u64(..PAIRS);
    let users = [UserId::new(low), UserId::new(low + 1)];
    let by = random.usize(..2);
    let actions = [
        ContactAction::Apply,
        ContactAction::Apply,
        ContactAction::Accept,
        ContactAction::Accept,
        ContactAction::Withdraw,
        ContactAction::Remove,
        ContactAction::Remark,
        ContactAction::Remark,
        ContactAction::Block,
        ContactAction::Unblock,
        ContactAction::Unblock,
    ];
    let action = actions[random.usize(..actions.len())];
    let has_text = matches!(action, ContactAction::Apply | ContactAction::Remark);
    let content = Content::Contact { action, text: has_text.then(|| name.clone()) };
    Ask::new(users[by], Destination::Pair(users[1 - by]), content, name)
}

/// The founder deletes a message, or settles what the group is to the founder.
pub(crate) fn about(target: Seq, random: &mut fastrand::Rng) -> Content {
    match random.u8(..8) {
        0 => Content::Hide { targets: Vec::new(), up_to: Some(Seq::new(target.get() / 8 + 1)) },
        1..5 => Content::Hide { targets: vec![target], up_to: None },
        _ => Content::SetConversation {
            muted: Some(random.bool()),
            pinned: Some(random.bool()).filter(|_| random.bool()),
            archived: None,
        },
    }
}

/// Whether it is carried out again when it is sent again.
pub(crate) fn is_done_again(content: &Content) -> bool {
    matches!(content, Content::Hide { .. } | Content::SetConversation { .. })
}

/// Compares what is kept with what was acked and with what is told of it.
pub(crate) fn check(
    history: &History,
    asks: &HashMap<(UserId, &str), &Ask>,
    read: &Read,
) -> Result<()> {
    for ask in history.asks.iter().filter(|ask| ask.done.is_some()) {
        if !is_done_again(&ask.content) {
            let is_there = read.places.contains_key(&(ask.actor, ask.name.clone()));
            ensure!(is_there, "acked message lost: {ask:?} is not there");
        }
    }
    check_pairs(asks, read)?;
    let nothing = Told::default();
    for (state, _) in &read.groups {
        let id = state.summary.conversation.id;
        for member in &state.members {
            let attributes: Value = serde_json::from_slice(&member.attributes)?;
            let told = read.told.get(&member.user).unwrap_or(&nothing);
            let context = || format!("{id} of {}: {attributes}, {told:?}", member.user);
            let hidden = hidden_in(&attributes)?;
            ensure!(hidden == hidden_by(told, id), "deleted otherwise than told: {}", context());
            let acked = history.asks.iter().filter(|ask| {
                ask.done.is_some() && ask.actor == member.user && ask.group() == Some(id)
            });
            for ask in acked {
                let Content::Hide { targets, up_to } = &ask.content else { continue };
                let is_hidden = |seq: &Seq| *seq <= hidden.0 || hidden.1.binary_search(seq).is_ok();
                let is_kept = targets.iter().chain(up_to).all(is_hidden);
                ensure!(is_kept, "acked message lost: {ask:?} in {}", context());
            }
            let settings: ConversationSettings = match &attributes["settings"] {
                Value::Null => ConversationSettings::default(),
                settings => serde_json::from_value(settings.clone())?,
            };
            let of_it = |change: &Change| match change {
                Change::ConversationSettingsChanged { conversation_id, settings }
                    if *conversation_id == id =>
                {
                    Some(*settings)
                }
                _ => None,
            };
            let is_told = is_last(told, settings, of_it) || settings == Default::default();
            ensure!(is_told, "settled otherwise than told: {}", context());
        }
    }
    Ok(())
}

/// Whether it was told last, or is still to be told: what waits may be overtaken already.
fn is_last<T: PartialEq>(told: &Told, now: T, of: impl Fn(&Change) -> Option<T>) -> bool {
    let last = told.already.iter().rev().find_map(&of);
    last.as_ref() == Some(&now) || told.later.iter().filter_map(&of).any(|it| it == now)
}

type Hidden = (Seq, Vec<Seq>);

fn hidden_in(attributes: &Value) -> Result<Hidden> {
    let hidden = &attributes["hidden"];
    if hidden.is_null() {
        return Ok(Hidden::default());
    }
    let messages = match &hidden["messages"] {
        Value::Null => Vec::new(),
        messages => serde_json::from_value(messages.clone())?,
    };
    Ok((serde_json::from_value(hidden["upTo"].clone())?, messages))
}

fn hidden_by(told: &Told, id: ConversationId) -> Hidden {
    let (mut cleared, mut messages) = (Seq::ZERO, BTreeSet::new());
    for change in told.already.iter().chain(&told.later) {
        if let Change::MessagesHidden { conversation_id, msg_seqs, up_to_seq } = change
            && *conversation_id == id
        {
            cleared = cleared.max(up_to_seq.unwrap_or_default());
            messages.extend(msg_seqs);
        }
    }
    (cleared, messages.into_iter().filter(|seq| *seq > cleared).collect())
}

/// What somebody is to another, but for when that began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tie {
    is_friend: bool,
    remark: Option<String>,
    is_blocked: bool,
    application: Option<(Direction, Option<String>)>,
}

/// Two users, as docs/protocol.md has them.
#[derive(Debug, Default)]
struct Pair {
    are_friends: bool,
    applied: Option<(UserId, Option<String>)>,
    blocks: BTreeSet<UserId>,
    remarks: BTreeMap<UserId, String>,
}

/// What each of two was told of the other is what has come of all that both did.
fn check_pairs(asks: &HashMap<(UserId, &str), &Ask>, read: &Read) -> Result<()> {
    let nothing = Told::default();
    for ((low, high), events) in &read.pairs {
        let mut pair = Pair::default();
        for event in events {
            let name = event.client_message_id.as_ref().map_or("", |name| name.as_str());
            let ask = asks.get(&(event.sender, name)).context("nobody has asked for it")?;
            let Content::Contact { action, text } = &ask.content else {
                anyhow::bail!("not of a pair: {ask:?}");
            };
            pair.happen(event.sender, *action, text.as_ref());
        }
        for (user, other) in [(*low, *high), (*high, *low)] {
            let told = read.told.get(&user).unwrap_or(&nothing);
            let of_it = |change: &Change| match change {
                Change::ContactChanged { contact, .. } if contact.user == other => {
                    Some(tie_of(contact))
                }
                _ => None,
            };
            let tie = pair.seen_by(user);
            let is_told = is_last(told, tie.clone(), of_it) || tie == Tie::default();
            ensure!(is_told, "{other} is {tie:?} to {user}, by {events:?}, and told was {told:?}");
        }
    }
    Ok(())
}

impl Pair {
    fn happen(&mut self, by: UserId, action: ContactAction, text: Option<&String>) {
        match action {
            ContactAction::Apply if self.applied.as_ref().is_some_and(|(it, _)| *it != by) => {
                (self.applied, self.are_friends) = (None, true);
            }
            ContactAction::Apply => self.applied = Some((by, text.cloned())),
            ContactAction::Accept => (self.applied, self.are_friends) = (None, true),
            ContactAction::Reject | ContactAction::Withdraw => self.applied = None,
            ContactAction::Remove => {
                self.are_friends = false;
                self.remarks.clear();
            }
            ContactAction::Remark => {
                self.remarks.remove(&by);
                self.remarks.extend(text.map(|text| (by, text.clone())));
            }
            ContactAction::Block => {
                self.blocks.insert(by);
                self.applied.take_if(|(applicant, _)| *applicant == by);
            }
            ContactAction::Unblock => {
                self.blocks.remove(&by);
            }
        }
    }

    fn seen_by(&self, user: UserId) -> Tie {
        let is_blocked = self.blocks.contains(&user);
        let application = self.applied.as_ref().and_then(|(by, text)| {
            let is_own = *by == user;
            let direction = if is_own { Direction::Outgoing } else { Direction::Incoming };
            (is_own || !is_blocked).then(|| (direction, text.clone()))
        });
        let remark = self.remarks.get(&user).cloned();
        Tie { is_friend: self.are_friends, remark, is_blocked, application }
    }
}

fn tie_of(contact: &Contact) -> Tie {
    let application = contact.application.as_ref();
    Tie {
        is_friend: contact.friend_since_ts.is_some(),
        remark: contact.remark.clone(),
        is_blocked: contact.blocked,
        application: application.map(|it| (it.direction, it.message.clone())),
    }
}
