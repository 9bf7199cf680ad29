//! The truth about all timelines, worked out from what was asked and what was stored.
//!
//! The ledger sees every batch that the store took, and knows what the devices had asked
//! for. From that it follows the rules of docs/protocol.md on its own ([`rules`](crate::rules)):
//! it must not share code with what it checks.
//!
//! - [`timeline`]: what is in a timeline, and who may read what of it.
//! - [`owed`]: what users are still to be told in their own timelines.
//! - [`acks`]: what devices are answered.
//! - [`kinds`]: by which kinds all of it is counted.
//!
//! Files and pairs have ledgers of their own ([`files`](crate::files), [`pairs`](crate::pairs)).

mod acks;
mod kinds;
mod owed;
mod timeline;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail, ensure};
use petrel_log::Content;
use petrel_protocol::frame::{Change, ConversationSettings, UserSettings};
use petrel_store::{Batch, ConversationKind, NewEvent};
use petrel_types::{ConversationId, RowId, TimestampMs, UserId};

use crate::Tally;
use crate::files::Files;
use crate::held::{Held, Message, What};
use crate::pairs::Pairs;
use crate::rules;
use kinds::kind_of;
use owed::Notices;

pub(crate) use kinds::KINDS;
pub(crate) use timeline::{Entry, Timeline};

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) timelines: BTreeMap<ConversationId, Timeline>,
    pub(crate) tally: Tally,
    /// What senders asked for, by their names for it.
    asked: HashMap<(UserId, String), Content>,
    /// Where it was stored.
    stored: HashMap<(UserId, String), Place>,
    /// What each user is to be told of each group, and has been.
    notices: BTreeMap<(UserId, ConversationId), Notices>,
    pub(crate) files: Files,
    pub(crate) pairs: Pairs,
    /// As they were before the batch.
    pairs_before: Pairs,
    settings: BTreeMap<UserId, UserSettings>,
    /// As they were before the batch.
    settings_before: BTreeMap<UserId, UserSettings>,
    /// Those of the last command who were to be asked, where others came in at once.
    invites_owed: Option<(ConversationId, Change)>,
    /// What the commands of the batch send on.
    sent_on: HashMap<(UserId, String), Message>,
    /// What each user is still to be told of what is the user's own business, in order.
    own_owed: BTreeMap<UserId, Vec<Change>>,
    /// What users were told last of what conversations are to them.
    settings_told: BTreeMap<(UserId, ConversationId), ConversationSettings>,
    batches: u64,
    last_row: u64,
}

/// Where a command was stored, and when.
#[derive(Clone, Copy, Debug)]
struct Place {
    conversation: ConversationId,
    seq: u64,
    row: RowId,
    batch: u64,
}

impl Ledger {
    /// A device asks for something.
    pub(crate) fn ask(&mut self, user: UserId, name: &str, content: &Content) {
        self.asked.insert((user, name.to_owned()), content.clone());
    }

    /// A batch was stored.
    pub(crate) fn store(&mut self, first_row: RowId, batch: &Batch) -> Result<()> {
        self.batches += 1;
        self.pairs_before = self.pairs.clone();
        self.settings_before = self.settings.clone();
        for new in &batch.conversations {
            let known = self.timelines.insert(new.id, Timeline::begin(new.kind));
            ensure!(known.is_none(), "a conversation begins twice: {}", new.id);
        }
        // What is sent on may be another sequencer's, so what was committed before counts.
        self.sent_on = batch.events.iter().filter_map(|event| self.sent_on_by(event)).collect();
        for (row, event) in (first_row.get()..).zip(&batch.events) {
            ensure!(row > self.last_row, "a row is given twice: {row}");
            self.last_row = row;
            self.append(RowId::new(row), event)?;
        }
        for derivation in &batch.derived {
            let notice: serde_json::Value = serde_json::from_slice(&derivation.command)?;
            let user: UserId = serde_json::from_value(notice["user"].clone())?;
            let change: Change = serde_json::from_value(notice["change"].clone())?;
            self.owe(user, change)?;
        }
        for trim in &batch.trims {
            let timeline = self.timelines.get_mut(&trim.conversation).context("a strange trim")?;
            timeline.trimmed_before = timeline.trimmed_before.max(trim.before.get());
            self.files.trim(trim.conversation, trim.before.get());
            self.count("trimmed");
        }
        (0..self.files.end_batch()).for_each(|_| self.count("fileReleased"));
        Ok(())
    }

    /// A message that is sent on, as it is said anew, if the user may read it.
    fn sent_on_by(&self, event: &NewEvent) -> Option<((UserId, String), Message)> {
        let user = event.sender;
        let key = (user, event.client_message_id.as_ref()?.as_str().to_owned());
        let Content::Message(new) = self.asked.get(&key)? else { return None };
        let forward = new.forward?;
        let timeline = self.timelines.get(&forward.conversation_id)?;
        let seq = forward.msg_seq.get();
        let entry = timeline
            .entry(seq)
            .filter(|_| timeline.may_read(user, seq) && seq >= timeline.trimmed_before)?;
        let may_be = |message: &&Message| !message.recalled && message.call.is_none();
        let message = entry.held.message().filter(may_be)?;
        let sent_on = Message {
            body: message.body.clone(),
            place: message.place.clone(),
            file: message.file,
            forwarded_from: message.forwarded_from.or(Some(entry.held.from)),
            ..Message::default()
        };
        Some((key, sent_on))
    }

    fn append(&mut self, row: RowId, event: &NewEvent) -> Result<()> {
        let id = event.conversation;
        let timeline = self.timelines.get_mut(&id).context("an event of no conversation")?;
        let seq = timeline.head() + 1;
        ensure!(event.seq.get() == seq, "a timeline has a hole: {} of {id}", event.seq);
        let name = event.client_message_id.as_ref().map(|name| name.as_str().to_owned());
        let stored: serde_json::Value = serde_json::from_slice(&event.payload)?;
        let is_message = stored["kind"] == "message";
        let is_personal = matches!(timeline.kind, ConversationKind::Personal { .. });
        let is_pair = matches!(timeline.kind, ConversationKind::Pair { .. });
        let mut counted = None;
        let what = if is_personal {
            let change = serde_json::from_value(stored)?;
            if matches!(change, Change::SettingsChanged { .. }) {
                let key = (event.sender, name.clone().context("settings without a name")?);
                let content = self.asked.get(&key).context("stored what nobody asked for")?;
                let settings = self.settings.entry(event.sender).or_default();
                rules::change_settings(settings, content, &change)?;
                let place = Place { conversation: id, seq, row, batch: self.batches };
                let first = self.stored.insert(key, place);
                ensure!(first.is_none(), "a command is stored twice: at {first:?} and {place:?}");
            }
            What::Change(change)
        } else if let ConversationKind::Pair { low, high } = timeline.kind {
            let key = (event.sender, name.clone().context("an event of a pair without a name")?);
            let content = self.asked.get(&key).context("stored what nobody asked for")?;
            let Content::Contact { action, text } = content else {
                bail!("not of a pair: {content:?}");
            };
            ensure!([low, high].contains(&event.sender), "a stranger in a pair");
            let other = if event.sender == low { high } else { low };
            let what = (*action, text.as_deref());
            counted = Some(self.pairs.happen(event.sender, other, what, event.timestamp)?);
            let place = Place { conversation: id, seq, row, batch: self.batches };
            if let Some(first) = self.stored.insert(key, place) {
                bail!("a command is stored twice: at {first:?} and at {place:?}");
            }
            What::Change(Change::Unknown)
        } else if name.is_none() {
            // It follows the event of those who came in at once.
            let (group, owed) = self.invites_owed.take().context("an event without a name")?;
            let stored: Change = serde_json::from_value(stored)?;
            ensure!((group, &stored) == (id, &owed), "{stored:?} in the place of {owed:?}");
            What::Change(stored)
        } else {
            let name = name.clone().context("looked at just now")?;
            let key = (event.sender, name);
            let content = self.asked.get(&key).context("stored what nobody asked for")?;
            let sent_on = self.sent_on.remove(&key);
            rules::check_reach(timeline, event.sender, content, &self.pairs, &self.pairs_before)?;
            let asked_first = rules::asked_first(
                event.sender,
                content,
                &self.settings_before,
                &self.pairs_before,
            );
            ensure!(self.invites_owed.is_none(), "not invited: {:?}", self.invites_owed);
            let forbidden =
                || format!("stored what the rules forbid: {content:?} by {}", event.sender);
            let (mut what, then) = rules::outcomes(
                timeline,
                event.sender,
                content,
                event.timestamp,
                (sent_on, &asked_first),
            )
            .with_context(forbidden)?;
            self.invites_owed = then.map(|then| (id, then));
            if let (What::Message(message), Content::Message(new)) = (&mut what, content)
                && new.forward.is_none()
            {
                message.file = self.files.attached(event.sender, new).with_context(forbidden)?;
            }
            if let Content::Join { message, .. } = content {
                let said = (message.clone(), event.timestamp);
                match what {
                    What::Change(Change::JoinRequested) => {
                        timeline.waiting.insert(event.sender, said);
                    }
                    _ => counted = Some("joinedByCode"),
                }
            }
            if let Content::AnswerInvitation { accept: true } = content {
                counted = Some("invitationAccepted");
            }
            let place = Place { conversation: id, seq, row, batch: self.batches };
            if let Some(first) = self.stored.insert(key, place) {
                bail!("a command is stored twice: at {first:?} and at {place:?}");
            }
            if let What::Change(change) = &what {
                let stored: Change = serde_json::from_value(stored)?;
                let is_void = |change: &Change| matches!(change, Change::Edited { body: None, .. });
                ensure!(
                    stored == *change || is_void(&stored),
                    "stored as something else: {stored:?} instead of {change:?}"
                );
            }
            what
        };
        ensure!(
            is_message == matches!(what, What::Message(_)),
            "a message and a change are mixed up: {what:?}"
        );
        let counts = matches!(&what, What::Message(message) if message.counts());
        let number = timeline.number_at(timeline.head()) + u64::from(counts);
        ensure!(event.message_number.get() == number, "a message number is wrong: {event:?}");
        // The founder's own notice is found by its name, which is shown to nobody.
        let name = name.filter(|_| !is_personal);
        if let Some(what) = counted {
            self.count(what);
        }
        ensure!(!(is_pair && is_message), "a message in the timeline of a pair");
        let held = Held { row, from: event.sender, name, ts: event.timestamp, what: what.clone() };
        self.take(id, held, number)
    }

    fn take(&mut self, id: ConversationId, held: Held, number: u64) -> Result<()> {
        self.take_files(id, &held)?;
        let timeline = self.timelines.get_mut(&id).context("looked at just now")?;
        let before: BTreeSet<UserId> = timeline.roles.keys().copied().collect();
        let waits = |(_, until): &(&UserId, &TimestampMs)| **until > held.ts;
        let invited: Vec<_> =
            timeline.invited.iter().filter(waits).map(|(user, _)| *user).collect();
        let rejoined = timeline.take(&held);
        let after: BTreeSet<UserId> = timeline.roles.keys().copied().collect();
        let (told, from) = (held.what.clone(), held.from);
        let kind = timeline.kind;
        let audience = before.union(&after).copied().collect();
        timeline.entries.push(Entry { held, told: told.clone(), audience, number, edit: None });
        if rejoined {
            self.count("rejoined");
        }
        match (&told, kind) {
            (What::Message(message), _) => {
                if message.mention_all || !message.mentions.is_empty() {
                    self.count("mention");
                }
                for (what, is_so) in [
                    ("call", message.call.is_some()),
                    ("place", message.place.is_some()),
                    ("reply", message.reply_to.is_some()),
                    ("sentOn", message.forwarded_from.is_some()),
                ] {
                    if is_so {
                        self.count(what);
                    }
                }
                self.count("message");
            }
            (
                What::Change(Change::ContactChanged { contact, action }),
                ConversationKind::Personal { user },
            ) => {
                self.pairs.tell(user, from, contact, *action)?;
                self.count("contactChanged");
            }
            (What::Change(Change::SettingsChanged { .. }), _) => self.count("settingsChanged"),
            (_, ConversationKind::Pair { .. }) => {}
            (
                What::Change(
                    change @ (Change::MessagesHidden { .. }
                    | Change::ConversationSettingsChanged { .. }),
                ),
                ConversationKind::Personal { user },
            ) => {
                self.tell_own(user, change)?;
                self.count(kind_of(change));
            }
            (What::Change(change), ConversationKind::Personal { user }) => {
                self.tell_of_group(user, change)?;
                self.count(kind_of(change));
            }
            (What::Change(change), _) => {
                self.owe_of_group(id, from, change, &invited, (&before, &after));
                self.count(kind_of(change));
            }
        }
        Ok(())
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// Every text that may still be found in the store.
    pub(crate) fn living_texts(&self) -> BTreeSet<&str> {
        let entries = self.timelines.values().flat_map(|timeline| &timeline.entries);
        entries
            .flat_map(|entry| match &entry.held.what {
                What::Message(Message { body, place, .. }) => {
                    [body.as_str()].into_iter().chain(place.as_deref().and_then(text_in))
                }
                What::Change(Change::Edited { body: Some(body), .. }) => {
                    [body.as_str()].into_iter().chain(None)
                }
                What::Change(_) => [""].into_iter().chain(None),
            })
            .collect()
    }
}

/// The text in what is printed.
fn text_in(printed: &str) -> Option<&str> {
    let start = printed.find('~')?;
    let length = printed[start + 1..].find('~')? + 2;
    Some(&printed[start..start + length])
}
