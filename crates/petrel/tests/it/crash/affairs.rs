//! What is left of what was one's own, when all is over: contacts, what a chat is to one, and
//! what one has deleted of it. Asked of the server, and of a device that has followed it all.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use petrel_protocol::frame::{
    Change, ClientFrame, Contact, ContactList, ContactsRequest, ConversationKind,
    ConversationSettings, Direction, ServerFrame,
};
use petrel_protocol::http::Names;
use petrel_testkit::PATIENCE;
use petrel_testkit::checker::{Event, Said};
use petrel_testkit::client::{Client, Synced};
use petrel_testkit::server::Server;
use petrel_types::{Seq, UserId};

use super::neighbours::{Lived, Own, Tie};
use super::observer::Observed;

/// What somebody was told in the own timeline, in order.
#[derive(Debug, Default)]
struct Told {
    ties: Vec<Tie>,
    settings: Vec<ConversationSettings>,
    deletions: Vec<(Vec<Seq>, Option<Seq>)>,
}

/// Everything of two neighbours is as the acks say: for a new device, and for one that has
/// applied every event to what it had.
pub(super) async fn check(
    server: &Server,
    lived: &Lived,
    copies: &[(UserId, Observed)],
) -> Result<()> {
    for (own, user) in lived.own.iter().zip(lived.users) {
        let mut client = server.connect(user, "auditor").await?;
        let events = told_in_the_end(&mut client, own).await?;
        check_known(server, lived, user, own).await?;
        let context = || format!("{user} of {:?}", lived.users);
        check_fetched(&mut client, lived, own).await.with_context(context)?;
        let copy = copies.iter().find(|(observer, _)| *observer == user);
        let copy = &copy.with_context(context)?.1;
        check_copy(copy, &events, lived, own).with_context(context)?;
    }
    Ok(())
}

/// What is told comes a little after the acks, and no client can see when, so this asks again
/// and again until the last of it is there.
async fn told_in_the_end(client: &mut Client, own: &Own) -> Result<Vec<Event>> {
    let mut last = Told::default();
    let poll = async {
        loop {
            let events = personal_events(client).await?;
            let told = told_by(&events);
            // Whatever is told must be true at any time.
            is_in_order("what the other is", &told.ties, &own.ties)?;
            is_in_order("what the chat is", &told.settings, &own.settings)?;
            is_in_order("what was deleted", &told.deletions, &own.deletions)?;
            let is_told = told.ties.last() == own.ties.last()
                && told.settings.last() == own.settings.last()
                && told.deletions.len() == own.deletions.len();
            if is_told {
                return anyhow::Ok(events);
            }
            last = told;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, poll).await;
    done.with_context(|| format!("not told of all: {last:?} of {own:?}"))?
}

async fn personal_events(client: &mut Client) -> Result<Vec<Event>> {
    let Synced { conversations, .. } = client.sync_all(None).await?;
    let personal = conversations.iter().find(|it| it.kind == ConversationKind::Personal);
    match personal {
        Some(personal) => Ok(client.pull_events(personal.conversation_id, Seq::ZERO).await?.events),
        None => Ok(Vec::new()),
    }
}

fn told_by(events: &[Event]) -> Told {
    let mut told = Told::default();
    for event in events {
        match &event.said {
            Said::Change(Change::ContactChanged { contact, .. }) => told.ties.push(tie_of(contact)),
            Said::Change(Change::ConversationSettingsChanged { settings, .. }) => {
                told.settings.push(*settings);
            }
            Said::Change(Change::MessagesHidden { msg_seqs, up_to_seq, .. }) => {
                told.deletions.push((msg_seqs.clone(), *up_to_seq));
            }
            _ => {}
        }
    }
    told
}

/// Some may be left out, because later ones have overtaken them; none comes twice, and none
/// before an earlier one.
fn is_in_order<T: PartialEq + Debug>(what: &str, told: &[T], happened: &[T]) -> Result<()> {
    let mut rest = happened.iter();
    for it in told {
        ensure!(
            rest.any(|happened| happened == it),
            "{what}: told {it:?} twice, out of order, or though it never was: told was {told:?}, \
             and it happened {happened:?}"
        );
    }
    Ok(())
}

/// Whoever is, or was, anything to a user is told to that user by name, and so is who talks to
/// the user; nobody else is.
async fn check_known(server: &Server, lived: &Lived, user: UserId, own: &Own) -> Result<()> {
    let [one, other] = lived.users;
    let other = if user == one { other } else { one };
    let token = server.mint()?.token(user);
    let names: Names =
        server.http().get_as(&token, &format!("/api/users?ids={other}")).await?.data()?;
    let known: Vec<_> = names.users.iter().map(|it| it.user_id).collect();
    let expected = if own.ties.is_empty() && lived.said.is_empty() { vec![] } else { vec![other] };
    ensure!(known == expected, "{user} knows {known:?}, and should know {expected:?}: {own:?}");
    Ok(())
}

/// A new device is told how it is.
async fn check_fetched(client: &mut Client, lived: &Lived, own: &Own) -> Result<()> {
    let mut fetched = BTreeMap::new();
    for list in
        [ContactList::Friends, ContactList::Incoming, ContactList::Outgoing, ContactList::Blocked]
    {
        let request =
            ClientFrame::Contacts(ContactsRequest { list, users_after: None, limit: None });
        let answer = client.request(&request).await?;
        let ServerFrame::ContactState(state) = answer else {
            anyhow::bail!("no CONTACT_STATE: {answer:?}");
        };
        let is_in = match list {
            ContactList::Friends => own.other.is_friend,
            ContactList::Blocked => own.other.is_blocked,
            ContactList::Incoming => own.other.application.as_ref().is_some_and(|(own, _)| !own),
            ContactList::Outgoing => own.other.application.as_ref().is_some_and(|(own, _)| *own),
        };
        ensure!(
            state.contacts.len() == usize::from(is_in),
            "{list:?} holds {:?}, and it is {:?}",
            state.contacts,
            own.other
        );
        fetched.extend(state.contacts.into_iter().map(|contact| (contact.user, contact)));
    }
    for contact in fetched.values() {
        ensure!(tie_of(contact) == own.other, "{contact:?}, and it is {:?}", own.other);
    }
    let Some(chat) = lived.chat else { return Ok(()) };
    let synced = client.sync_all(None).await?;
    let entry = synced.conversations.iter().find(|entry| entry.conversation_id == chat);
    let entry = entry.context("no such chat")?;
    let settings = own.settings.last().copied().unwrap_or_default();
    ensure!(entry.settings == settings, "the chat is {entry:?}, and should be {settings:?}");
    let pulled = client.pull_events(chat, Seq::ZERO).await?;
    ensure!(pulled.to.get() == lived.said.len() as u64, "pulled to {}", pulled.to);
    check_chat(&pulled.events, lived, own)
}

/// A device that has applied all events knows the same.
fn check_copy(copy: &Observed, events: &[Event], lived: &Lived, own: &Own) -> Result<()> {
    let personal = events.first().map(|event| event.conversation);
    let held = personal.and_then(|id| copy.get(&id)).map_or(&[][..], Vec::as_slice);
    // What came after it had left is the last that a device can lack.
    ensure!(events.starts_with(held), "a device was told {held:?}, and it is {events:?}");
    let told = told_by(held);
    let Some(chat) = lived.chat else { return Ok(()) };
    let chat = copy.get(&chat).map_or(&[][..], Vec::as_slice);
    let is_deleted = |seq: Seq| {
        let takes = |(seqs, up_to): &(Vec<Seq>, Option<Seq>)| {
            seqs.contains(&seq) || up_to.is_some_and(|up_to| seq <= up_to)
        };
        told.deletions.iter().any(takes)
    };
    let left: Vec<_> = chat.iter().filter(|event| !is_deleted(event.seq)).cloned().collect();
    if told.deletions.len() == own.deletions.len() {
        check_chat(&left, lived, own).context("a device's copy")?;
    }
    Ok(())
}

/// Everything that was said is there once, in order, but for what was deleted.
fn check_chat(events: &[Event], lived: &Lived, own: &Own) -> Result<()> {
    let hidden = own.hidden(lived.said.len() as u64);
    let said = (1..).zip(&lived.said).filter(|(seq, _)| !hidden.contains(seq));
    let said: Vec<_> = said.map(|(seq, (by, name))| (seq, *by, name.as_str())).collect();
    let found = events.iter().map(|event| {
        let name = event.name.as_deref().unwrap_or_default();
        (event.seq.get(), event.from, name)
    });
    let found: Vec<_> = found.collect();
    ensure!(found == said, "the chat is {found:?}, and should be {said:?}");
    let text = |event: &Event| match &event.said {
        Said::Message(message) => Some(message.body.clone()),
        Said::Change(_) => None,
    };
    let other = events.iter().find(|event| text(event) != event.name);
    ensure!(other.is_none(), "another text: {other:?}");
    Ok(())
}

fn tie_of(contact: &Contact) -> Tie {
    let application = contact.application.as_ref();
    Tie {
        is_friend: contact.friend_since_ts.is_some(),
        remark: contact.remark.clone(),
        is_blocked: contact.blocked,
        application: application
            .map(|it| (it.direction == Direction::Outgoing, it.message.clone())),
    }
}
