//! The truth about all timelines, worked out from what was asked and what was stored.
//!
//! The ledger sees every batch that the store took, and knows what the devices had asked
//! for. From that it follows the rules of docs/protocol.md on its own ([`rules`](crate::rules)):
//! it must not share code with what it checks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail, ensure};
use petrel_log::Content;
use petrel_protocol::frame::{
    Change, ConversationSettings, DoneAck, GroupInfo, History, Role, SavedAck, UserSettings,
};
use petrel_store::{Batch, ConversationKind, NewEvent};
use petrel_types::{ConversationId, RowId, TimestampMs, UserId};

use crate::Tally;
use crate::files::Files;
use crate::held::{Held, Message, What};
use crate::pairs::Pairs;
use crate::rules;

/// What can happen in a timeline, or to it.
pub(crate) const KINDS: &[&str] = &[
    "message",
    "call",
    "recalled",
    "edited",
    "groupCreated",
    "membersAdded",
    "membersRemoved",
    "memberLeft",
    "roleChanged",
    "ownerChanged",
    "titleChanged",
    "groupDissolved",
    "conversationAdded",
    "conversationRemoved",
    "contactChanged",
    "settingsChanged",
    "messagesHidden",
    "conversationSettingsChanged",
    "reacted",
    "reactionRemoved",
    "pinned",
    "takenDown",
    "place",
    "reply",
    "sentOn",
    "applied",
    "appliedMutually",
    "accepted",
    "rejected",
    "withdrawn",
    "removed",
    "remarked",
    "blocked",
    "unblocked",
    "mention",
    "groupChanged",
    "memberChanged",
    "joinedByCode",
    "joinRequested",
    "joinRefused",
    "conversationRefused",
    "membersInvited",
    "invitationAccepted",
    "invitationRefused",
    "invitationWithdrawn",
    "groupInvited",
    "groupInvitationEnded",
    "trimmed",
    "rejoined",
    "file",
    "fileSentOn",
    "fileRecalled",
    "fileReleased",
    "fileExpired",
    "pictureShown",
];

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

/// Of joinings, of leavings, of not being let in, of being invited, and of the end of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Notices {
    owed: [u64; 5],
    told: [u64; 5],
}

/// A timeline from its beginning, also where it is trimmed.
pub(crate) struct Timeline {
    pub(crate) kind: ConversationKind,
    pub(crate) entries: Vec<Entry>,
    pub(crate) trimmed_before: u64,
    pub(crate) title: String,
    pub(crate) history: History,
    /// Who is in it now.
    pub(crate) roles: BTreeMap<UserId, Role>,
    /// What it is beside that.
    pub(crate) info: GroupInfo,
    /// What each member is called, and until when each may not speak; also of former ones.
    pub(crate) attributes: BTreeMap<UserId, (Option<String>, Option<TimestampMs>)>,
    /// Who waits to be let in, with what to say, and since when.
    pub(crate) waiting: BTreeMap<UserId, (Option<String>, TimestampMs)>,
    /// Who is invited, and until when.
    pub(crate) invited: BTreeMap<UserId, TimestampMs>,
    /// The messages that are pinned, in order.
    pub(crate) pins: Vec<u64>,
    /// What each user has deleted: everything up to a place, and messages after it.
    hidden: BTreeMap<UserId, (u64, BTreeSet<u64>)>,
    /// What it is to each user.
    pub(crate) settings: BTreeMap<UserId, ConversationSettings>,
    /// What everybody who ever was in it may read.
    stints: BTreeMap<UserId, Vec<Stint>>,
}

/// From one seq to another, both included.
#[derive(Clone, Copy, Debug)]
struct Stint {
    first: u64,
    last: Option<u64>,
}

pub(crate) struct Entry {
    /// As it is by now.
    pub(crate) held: Held,
    /// As it was when it was told.
    pub(crate) told: What,
    /// Who was to be told.
    pub(crate) audience: BTreeSet<UserId>,
    /// Messages up to here.
    pub(crate) number: u64,
    /// Of a message: the edit that its text comes from.
    edit: Option<u64>,
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

    /// Something has changed that is the business of one user alone.
    fn owe(&mut self, user: UserId, change: Change) -> Result<()> {
        match &change {
            Change::MessagesHidden { conversation_id, msg_seqs, up_to_seq } => {
                let is_it = |content: &Content| {
                    matches!(content, Content::Hide { targets, up_to }
                        if targets == msg_seqs && up_to == up_to_seq)
                };
                let asked = self.asked.iter().any(|((by, _), what)| *by == user && is_it(what));
                ensure!(asked, "hidden though nobody asked for it: {user} {change:?}");
                let timeline = self.timelines.get_mut(conversation_id).context("hidden nowhere")?;
                let end = timeline.end_for(user).context("hidden from a stranger")?;
                let hidden = timeline.hidden.entry(user).or_default();
                hidden.0 = hidden.0.max(up_to_seq.map_or(0, |seq| seq.get()));
                hidden.1.extend(msg_seqs.iter().map(|seq| seq.get()));
                ensure!(hidden.0 <= end && hidden.1.iter().all(|seq| *seq <= end), "{change:?}");
                self.own_owed.entry(user).or_default().push(change);
            }
            Change::ConversationSettingsChanged { conversation_id, settings } => {
                let timeline = self.timelines.get_mut(conversation_id).context("of nothing")?;
                ensure!(timeline.end_for(user).is_some(), "what it is to a stranger: {change:?}");
                let before = timeline.settings.insert(user, *settings).unwrap_or_default();
                ensure!(before != *settings, "the same settings: {change:?}");
                self.own_owed.entry(user).or_default().push(change);
            }
            _ => {}
        }
        Ok(())
    }

    /// A user is told what is the user's own business: what was owed, once. Settings that
    /// others have overtaken need not be told.
    fn tell_own(&mut self, user: UserId, change: &Change) -> Result<()> {
        let owed = self.own_owed.entry(user).or_default();
        let place = owed.iter().position(|it| it == change);
        let place = place.with_context(|| format!("told what is not owed: {user} {change:?}"))?;
        owed.remove(place);
        if let Change::ConversationSettingsChanged { conversation_id: about, settings } = change {
            self.settings_told.insert((user, *about), *settings);
            let mut index = 0;
            owed.retain(|it| {
                let is_about = matches!(it, Change::ConversationSettingsChanged { conversation_id, .. }
                    if conversation_id == about);
                index += 1;
                !(is_about && index <= place)
            });
        }
        Ok(())
    }

    /// Whether everything is told to a user that is the user's own business.
    pub(crate) fn owes_nothing(&self, user: UserId) -> bool {
        let mut owed = self.own_owed.get(&user).into_iter().flatten();
        owed.all(|change| self.is_overtaken(user, change))
    }

    /// Whether a change need not be told any more. Settings that come back to what they were
    /// can't be told apart from those before, so what is left of them is settled by the last.
    fn is_overtaken(&self, user: UserId, change: &Change) -> bool {
        let Change::ConversationSettingsChanged { conversation_id, .. } = change else {
            return false;
        };
        let told = self.settings_told.get(&(user, *conversation_id));
        let timeline = self.timelines.get(conversation_id);
        told.is_some() && told == timeline.and_then(|timeline| timeline.settings.get(&user))
    }

    /// Whether a user is still to be told what he or she has deleted of a conversation, which
    /// is left out of what is fetched by now.
    pub(crate) fn owes_deletion(&self, user: UserId, id: ConversationId) -> bool {
        let is_it = |change: &Change| matches!(change, Change::MessagesHidden { conversation_id, .. } if *conversation_id == id);
        self.own_owed.get(&user).is_some_and(|owed| owed.iter().any(is_it))
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
                let (which, group) = match change {
                    Change::ConversationAdded { conversation_id } => (0, *conversation_id),
                    Change::ConversationRemoved { conversation_id } => (1, *conversation_id),
                    Change::ConversationRefused { conversation_id } => (2, *conversation_id),
                    Change::GroupInvited { conversation_id, .. } => (3, *conversation_id),
                    Change::GroupInvitationEnded { conversation_id } => (4, *conversation_id),
                    other => bail!("a strange notice: {other:?}"),
                };
                let notices = self.notices.entry((user, group)).or_default();
                notices.told[which] += 1;
                ensure!(
                    notices.told[which] <= notices.owed[which],
                    "a notice is told twice: of {group} to {user}"
                );
                self.count(kind_of(change));
            }
            (What::Change(change), _) => {
                for user in after.difference(&before) {
                    self.notices.entry((*user, id)).or_default().owed[0] += 1;
                }
                match change {
                    Change::JoinRefused { user } => {
                        self.notices.entry((*user, id)).or_default().owed[2] += 1;
                    }
                    Change::MembersInvited { members, .. } => {
                        for user in members {
                            self.notices.entry((*user, id)).or_default().owed[3] += 1;
                        }
                    }
                    Change::InvitationRefused => {
                        self.notices.entry((from, id)).or_default().owed[4] += 1;
                    }
                    Change::InvitationWithdrawn { user } => {
                        self.notices.entry((*user, id)).or_default().owed[4] += 1;
                    }
                    Change::GroupDissolved => {
                        for user in invited {
                            self.notices.entry((user, id)).or_default().owed[4] += 1;
                        }
                    }
                    _ => {}
                }
                for user in before.difference(&after) {
                    self.notices.entry((*user, id)).or_default().owed[1] += 1;
                }
                self.count(kind_of(change));
            }
        }
        Ok(())
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// A command was acked: it is stored there.
    pub(crate) fn check_ack(&self, user: UserId, ack: &SavedAck) -> Result<()> {
        let key = (user, ack.client_msg_id.as_str().to_owned());
        let place = self.stored.get(&key);
        let is_there = place.is_some_and(|place| {
            let said = (ack.conversation_id, ack.msg_seq.get(), ack.server_msg_id);
            (place.conversation, place.seq, place.row) == said
        });
        ensure!(is_there, "acked what is not stored so: {ack:?}, and there is {place:?}");
        ensure!(!ack.body_differs, "an ack says that what never changed differs: {ack:?}");
        let entry = &self.timelines[&ack.conversation_id].entries;
        let entry = usize::try_from(ack.msg_seq.get() - 1).ok().and_then(|index| entry.get(index));
        ensure!(entry.is_some_and(|entry| entry.held.ts == ack.ts), "an ack's time: {ack:?}");
        Ok(())
    }

    /// A change between two users was acked: it is stored.
    pub(crate) fn check_done(&self, user: UserId, ack: &DoneAck) -> Result<()> {
        let key = (user, ack.client_msg_id.as_str().to_owned());
        if let Some(Content::Hide { .. } | Content::SetConversation { .. }) = self.asked.get(&key) {
            // What follows from it is looked at by every read.
            return Ok(());
        }
        let place = self.stored.get(&key).with_context(|| format!("acked, not stored: {ack:?}"))?;
        let timeline = &self.timelines[&place.conversation];
        let is_pair = matches!(timeline.kind, ConversationKind::Pair { .. });
        let entry = timeline.entry(place.seq).context("stored nowhere")?;
        let private = [Change::JoinRequested, Change::InvitationRefused].map(What::Change);
        let asks = private.contains(&entry.held.what);
        ensure!((is_pair || asks) && entry.held.ts == ack.ts, "an ack of something else: {ack:?}");
        Ok(())
    }

    /// A command was refused for good: it is not stored.
    pub(crate) fn check_refusal(&self, user: UserId, name: &str) -> Result<()> {
        if let Some(place) = self.stored.get(&(user, name.to_owned())) {
            // Another copy of it may have been decided in the same batch, after this one.
            ensure!(place.batch == self.batches, "refused what is stored: {name} at {place:?}");
        }
        Ok(())
    }

    /// Everything that was owed has been told.
    pub(crate) fn check_notices(&self) -> Result<()> {
        self.pairs.check_told()?;
        for (user, owed) in &self.own_owed {
            ensure!(self.owes_nothing(*user), "a notice is missing: {user} {owed:?}");
        }
        for (about, notices) in &self.notices {
            let Notices { owed, told } = notices;
            // Of an invitation that is over nobody need be told; that those in force are listed
            // is compared by itself.
            let is_well = owed[..3] == told[..3] && told[3] <= owed[3] && told[4] <= owed[4];
            ensure!(is_well, "a notice is missing: {about:?} {notices:?}");
        }
        Ok(())
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

impl Timeline {
    fn begin(kind: ConversationKind) -> Self {
        let users = match kind {
            ConversationKind::Single { low, high } => vec![low, high],
            ConversationKind::Personal { user } => vec![user],
            ConversationKind::Group | ConversationKind::Pair { .. } => Vec::new(),
        };
        Self {
            kind,
            entries: Vec::new(),
            trimmed_before: 1,
            title: String::new(),
            history: History::Joined,
            info: GroupInfo::default(),
            attributes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            invited: BTreeMap::new(),
            pins: Vec::new(),
            hidden: BTreeMap::new(),
            settings: BTreeMap::new(),
            roles: users.iter().map(|user| (*user, Role::Member)).collect(),
            stints: users
                .into_iter()
                .map(|user| (user, vec![Stint { first: 1, last: None }]))
                .collect(),
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The messages that are pinned and kept, in order.
    pub(crate) fn kept_pins(&self) -> impl Iterator<Item = u64> {
        self.pins.iter().copied().filter(|seq| *seq >= self.trimmed_before)
    }

    /// Messages up to a place.
    pub(crate) fn number_at(&self, seq: u64) -> u64 {
        self.entry(seq).map_or(0, |entry| entry.number)
    }

    /// Whether a user may read an event, if it is kept.
    pub(crate) fn may_read(&self, user: UserId, seq: u64) -> bool {
        let holds = |stint: &Stint| stint.first <= seq && stint.last.is_none_or(|it| seq <= it);
        seq > 0
            && seq <= self.head()
            && !self.is_hidden(user, seq)
            && self.stints.get(&user).is_some_and(|it| it.iter().any(holds))
    }

    /// Whether a message was changed by something that a user may not read.
    pub(crate) fn was_changed_unseen(&self, user: UserId, target: u64) -> bool {
        let after = self.entries.iter().zip(1..).skip(usize::try_from(target).unwrap());
        let mut unseen = after.filter(|(_, seq)| !self.may_read(user, *seq));
        unseen.any(|(entry, _)| match &entry.held.what {
            What::Change(
                Change::Recalled { target_seq }
                | Change::Edited { target_seq, .. }
                | Change::Reacted { target_seq, .. },
            ) => target_seq.get() == target,
            _ => false,
        })
    }

    /// Whether a user has deleted an event.
    pub(crate) fn is_hidden(&self, user: UserId, seq: u64) -> bool {
        let hidden = self.hidden.get(&user);
        hidden.is_some_and(|(up_to, messages)| seq <= *up_to || messages.contains(&seq))
    }

    /// The last event that a user may read; `None` for somebody who never was in it.
    pub(crate) fn end_for(&self, user: UserId) -> Option<u64> {
        let stint = self.stints.get(&user)?.last()?;
        Some(stint.last.unwrap_or(self.head()))
    }

    /// Takes in what an event says. Returns whether somebody has come back by it.
    fn take(&mut self, held: &Held) -> bool {
        let seq = self.head() + 1;
        let What::Change(change) = &held.what else { return false };
        match change {
            Change::Recalled { target_seq } | Change::Edited { target_seq, .. } => {
                self.change_message(target_seq.get(), seq, held.from, change);
                if matches!(change, Change::Recalled { .. }) {
                    self.pins.retain(|pinned| *pinned != target_seq.get());
                }
            }
            Change::Reacted { target_seq, .. } => {
                let index = usize::try_from(target_seq.get() - 1).unwrap();
                if let Some(message) = self.entries[index].held.message_mut() {
                    message.change(seq, held.from, change);
                }
            }
            Change::Pinned { target_seq, removed } => {
                self.pins.retain(|pinned| *pinned != target_seq.get());
                if !removed {
                    self.pins.push(target_seq.get());
                }
            }
            Change::GroupCreated { title, members, history } => {
                (self.title, self.history) = (title.clone(), *history);
                self.join(held.from, Role::Owner, seq);
                members.iter().for_each(|user| {
                    self.join(*user, Role::Member, seq);
                });
            }
            Change::MembersAdded { members } => {
                return members.iter().filter(|user| self.join(**user, Role::Member, seq)).count()
                    > 0;
            }
            Change::MembersRemoved { members } => {
                members.iter().for_each(|user| self.part(*user, seq));
            }
            Change::MemberLeft => self.part(held.from, seq),
            Change::GroupDissolved => {
                let everybody: Vec<_> = self.roles.keys().copied().collect();
                everybody.into_iter().for_each(|user| self.part(user, seq));
                self.invited.clear();
                self.info.avatar = None;
            }
            Change::RoleChanged { user, role } => {
                if *role == Role::Owner {
                    self.roles.insert(held.from, Role::Admin);
                }
                self.roles.insert(*user, *role);
            }
            Change::TitleChanged { title } => self.title.clone_from(title),
            Change::GroupChanged { group } => self.info = group.clone(),
            Change::MemberChanged { user, nickname, muted_until_ts } => {
                self.attributes.insert(*user, (nickname.clone(), *muted_until_ts));
            }
            Change::JoinRefused { user } => {
                self.waiting.remove(user);
            }
            Change::MembersInvited { members, expires_ts } => {
                self.invited.extend(members.iter().map(|user| (*user, *expires_ts)));
            }
            Change::InvitationRefused => {
                self.invited.remove(&held.from);
            }
            Change::InvitationWithdrawn { user } => {
                self.invited.remove(user);
            }
            Change::JoinRequested
            | Change::GroupInvited { .. }
            | Change::GroupInvitationEnded { .. }
            | Change::ConversationRefused { .. }
            | Change::ConversationAdded { .. }
            | Change::ConversationRemoved { .. }
            | Change::ContactChanged { .. }
            | Change::SettingsChanged { .. }
            | Change::MessagesHidden { .. }
            | Change::ConversationSettingsChanged { .. }
            | Change::Unknown => {}
        }
        false
    }

    fn change_message(&mut self, target: u64, seq: u64, from: UserId, change: &Change) {
        let index = |seq: u64| usize::try_from(seq - 1).unwrap();
        let edit = matches!(change, Change::Edited { .. }).then_some(seq);
        let entry = &mut self.entries[index(target)];
        if let Some(message) = entry.held.message_mut() {
            message.change(seq, from, change);
        }
        if let Some(void) = std::mem::replace(&mut entry.edit, edit)
            && let What::Change(Change::Edited { body, .. }) =
                &mut self.entries[index(void)].held.what
        {
            *body = None;
        }
    }

    /// Returns whether the user was there before.
    fn join(&mut self, user: UserId, role: Role, seq: u64) -> bool {
        self.roles.insert(user, role);
        self.attributes.remove(&user);
        self.waiting.remove(&user);
        self.invited.remove(&user);
        let stints = self.stints.entry(user).or_default();
        let rejoined = !stints.is_empty();
        if self.history == History::All {
            *stints = vec![Stint { first: 1, last: None }];
        } else {
            stints.push(Stint { first: seq, last: None });
        }
        rejoined
    }

    fn part(&mut self, user: UserId, seq: u64) {
        self.roles.remove(&user);
        if let Some(stint) = self.stints.get_mut(&user).and_then(|stints| stints.last_mut()) {
            stint.last = Some(seq);
        }
    }
}

/// The text in what is printed.
fn text_in(printed: &str) -> Option<&str> {
    let start = printed.find('~')?;
    let length = printed[start + 1..].find('~')? + 2;
    Some(&printed[start..start + length])
}

fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::Recalled { .. } => "recalled",
        Change::Edited { .. } => "edited",
        Change::GroupCreated { .. } => "groupCreated",
        Change::MembersAdded { .. } => "membersAdded",
        Change::MembersRemoved { .. } => "membersRemoved",
        Change::MemberLeft => "memberLeft",
        Change::RoleChanged { role: Role::Owner, .. } => "ownerChanged",
        Change::RoleChanged { .. } => "roleChanged",
        Change::TitleChanged { .. } => "titleChanged",
        Change::GroupDissolved => "groupDissolved",
        Change::ConversationAdded { .. } => "conversationAdded",
        Change::ConversationRemoved { .. } => "conversationRemoved",
        Change::GroupChanged { .. } => "groupChanged",
        Change::MemberChanged { .. } => "memberChanged",
        Change::JoinRequested => "joinRequested",
        Change::JoinRefused { .. } => "joinRefused",
        Change::ConversationRefused { .. } => "conversationRefused",
        Change::MembersInvited { .. } => "membersInvited",
        Change::InvitationRefused => "invitationRefused",
        Change::InvitationWithdrawn { .. } => "invitationWithdrawn",
        Change::GroupInvited { .. } => "groupInvited",
        Change::GroupInvitationEnded { .. } => "groupInvitationEnded",
        Change::ContactChanged { .. } => "contactChanged",
        Change::SettingsChanged { .. } => "settingsChanged",
        Change::MessagesHidden { .. } => "messagesHidden",
        Change::ConversationSettingsChanged { .. } => "conversationSettingsChanged",
        Change::Reacted { removed: false, .. } => "reacted",
        Change::Reacted { .. } => "reactionRemoved",
        Change::Pinned { removed: false, .. } => "pinned",
        Change::Pinned { .. } => "takenDown",
        Change::Unknown => "unknown",
    }
}
