//! Files: who may have them, and what becomes of them.
//!
//! What is in a file matters to nobody here: what is known of it goes straight into the store,
//! as the uploads of a node put it there. Messages and pictures refer to files by commands.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use petrel_log::{Content, Destination, GroupChange, NewMessage, ProfileChange};
use petrel_logic::sync::Share;
use petrel_protocol::frame::{AttachmentRef, Change, GroupInfo, MessageType};
use petrel_store::{BegunUpload, FileFacts, FileStore, NewUpload, Quota};
use petrel_types::{Clock, ConversationId, FileId, TimestampMs, UserId};

use crate::held::{Held, What};
use crate::ledger::{Ledger, Timeline};
use crate::world::{USERS, World};

const QUOTA: Quota = Quota { bytes: 1 << 40, uploads: 10_000 };
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Every file that ever was, and what refers to it by the rules.
#[derive(Default)]
pub(crate) struct Files {
    known: BTreeMap<FileId, Known>,
    /// Messages by their places; a conversation that shows a picture is at place 0.
    references: BTreeMap<FileId, BTreeSet<(ConversationId, u64)>>,
    /// The picture of each group and, by the personal timeline, of each user.
    shown: BTreeMap<ConversationId, FileId>,
    /// Those that something let go of in this batch.
    released: BTreeSet<FileId>,
}

struct Known {
    owner: UserId,
    object: String,
    is_picture: bool,
    is_complete: bool,
    /// When it goes if nothing ever refers to it.
    expires: TimestampMs,
    lot: Lot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lot {
    There,
    /// Nobody can have it any more, and its bytes are still to be deleted.
    Garbage,
    Collected,
}

impl Files {
    /// A file that somebody sends with a message, if it may go with it.
    pub(crate) fn attached(&self, sender: UserId, new: &NewMessage) -> Result<Option<FileId>> {
        let Some(asked) = &new.attachment else { return Ok(None) };
        let id = FileId::new(asked.file_id.parse()?);
        let file = self.of(sender, id)?;
        ensure!(new.msg_type != MessageType::Image || file.is_picture, "no picture: {id}");
        Ok(Some(id))
    }

    /// A complete file of a user's own.
    fn of(&self, user: UserId, id: FileId) -> Result<&Known> {
        let file = self.known.get(&id).context("a file that never was")?;
        ensure!(file.owner == user, "a file of another: {id}");
        ensure!(file.is_complete, "an upload that is not complete: {id}");
        ensure!(file.lot == Lot::There, "a file that is gone: {id}");
        Ok(file)
    }

    fn refer(&mut self, id: FileId, place: (ConversationId, u64)) {
        self.references.entry(id).or_default().insert(place);
    }

    fn release(&mut self, id: FileId, place: (ConversationId, u64)) {
        self.references.entry(id).or_default().remove(&place);
        self.released.insert(id);
    }

    fn show(&mut self, by: UserId, about: ConversationId, picture: Option<FileId>) -> Result<bool> {
        let before = match picture {
            Some(id) => self.shown.insert(about, id),
            None => self.shown.remove(&about),
        };
        if before == picture {
            return Ok(false);
        }
        if let Some(id) = picture {
            ensure!(self.of(by, id)?.is_picture, "shown, and no picture: {id}");
            self.refer(id, (about, 0));
        }
        if let Some(id) = before {
            self.release(id, (about, 0));
        }
        Ok(true)
    }

    /// The beginning of a timeline is gone; what it shows as a whole stays.
    pub(crate) fn trim(&mut self, conversation: ConversationId, before: u64) {
        for (id, places) in &mut self.references {
            let kept = places.len();
            places.retain(|(about, seq)| *about != conversation || *seq == 0 || *seq >= before);
            if places.len() < kept {
                self.released.insert(*id);
            }
        }
    }

    /// A batch was stored: what it let go of, and nothing else refers to, is gone. Returns how
    /// many those are.
    pub(crate) fn end_batch(&mut self) -> usize {
        let released = std::mem::take(&mut self.released);
        let mut gone = 0;
        for id in released {
            if !self.is_referred_to(id)
                && let Some(file) = self.known.get_mut(&id)
                && file.lot == Lot::There
            {
                file.lot = Lot::Garbage;
                gone += 1;
            }
        }
        gone
    }

    fn is_referred_to(&self, id: FileId) -> bool {
        self.references.get(&id).is_some_and(|places| !places.is_empty())
    }

    /// Those that nothing refers to and whose time is over go. Returns how many.
    fn expire(&mut self, now: TimestampMs) -> usize {
        let over = self.known.iter().filter(|(id, file)| {
            file.lot == Lot::There && file.expires <= now && !self.is_referred_to(**id)
        });
        let over: Vec<_> = over.map(|(id, _)| *id).collect();
        for id in &over {
            self.known.get_mut(id).expect("just seen").lot = Lot::Garbage;
        }
        over.len()
    }

    fn garbage(&self) -> BTreeSet<&str> {
        let garbage = self.known.values().filter(|file| file.lot == Lot::Garbage);
        garbage.map(|file| file.object.as_str()).collect()
    }
}

impl Ledger {
    /// What an event that is about to be taken means for files.
    pub(crate) fn take_files(&mut self, id: ConversationId, held: &Held) -> Result<()> {
        let timeline = self.timelines.get(&id).context("an event of no conversation")?;
        let place = (id, timeline.head() + 1);
        let change = match &held.what {
            What::Message(message) => {
                if let Some(file) = message.file {
                    self.files.refer(file, place);
                    let is_sent_on = message.forwarded_from.is_some();
                    self.count(if is_sent_on { "fileSentOn" } else { "file" });
                }
                return Ok(());
            }
            What::Change(change) => change,
        };
        let shown = match change {
            Change::Recalled { target_seq } => {
                let target = timeline.entry(target_seq.get());
                let file = target.and_then(|entry| entry.held.message()?.file);
                if let Some(file) = file {
                    self.files.release(file, (id, target_seq.get()));
                    self.count("fileRecalled");
                }
                return Ok(());
            }
            Change::SettingsChanged { settings } => settings.avatar,
            Change::GroupChanged { group } => picture_of(group)?,
            Change::GroupDissolved => None,
            _ => return Ok(()),
        };
        if self.files.show(held.from, id, shown)? {
            self.count("pictureShown");
        }
        Ok(())
    }

    /// What a user may have of a file that is there.
    fn share(&self, user: UserId, id: FileId) -> Option<Share> {
        let owner = self.files.known.get(&id).map(|file| file.owner);
        if owner == Some(user) {
            return Some(Share::Whole);
        }
        let places = self.files.references.get(&id).into_iter().flatten();
        let of = |(about, seq): &(ConversationId, u64)| {
            let timeline = &self.timelines[about];
            let is_kept = *seq >= timeline.trimmed_before;
            if *seq > 0 && is_kept && timeline.may_read(user, *seq) {
                return Some(Share::Whole);
            }
            (*seq == 0 && timeline.roles.contains_key(&user)).then_some(Share::Avatar)
        };
        let shares: Vec<_> = places.filter_map(of).collect();
        let is_whole = shares.contains(&Share::Whole);
        if is_whole { Some(Share::Whole) } else { shares.first().copied() }
    }
}

/// The file that is the picture of a group.
fn picture_of(group: &GroupInfo) -> Result<Option<FileId>> {
    Ok(group.avatar.as_deref().map(str::parse).transpose()?.map(FileId::new))
}

impl World {
    /// Somebody begins an upload, goes on with one, or gives a file up.
    pub(crate) async fn upload(&mut self, index: usize) -> Result<()> {
        let user = self.devices[index].user;
        let own = self.ledger.files.known.iter().filter(|(_, file)| file.owner == user);
        let own = own.filter(|(_, file)| file.lot == Lot::There);
        let own: Vec<_> = own.map(|(id, file)| (*id, file.is_complete)).collect();
        match (self.random.u8(..8), self.random.choice(own)) {
            (0, Some((id, _))) => {
                self.note(|| format!("user {user} gives file {id} up"));
                let removed = self.server.memory.remove_file(user, id).await?;
                let is_loose = !self.ledger.files.is_referred_to(id);
                ensure!(removed == is_loose, "file {id} was given up: {removed}");
                if let Some(file) = self.ledger.files.known.get_mut(&id).filter(|_| removed) {
                    file.lot = Lot::Garbage;
                }
                Ok(())
            }
            (1..3, Some((id, false))) => self.complete(id).await,
            _ => {
                let id = self.begin_upload(user).await?;
                if self.random.u8(..6) > 0 { self.complete(id).await } else { Ok(()) }
            }
        }
    }

    async fn begin_upload(&mut self, owner: UserId) -> Result<FileId> {
        let created = self.server.clock.now();
        let expires = TimestampMs::new(created.get() + DAY_MS);
        let object = format!("object {}", self.ledger.files.known.len());
        let upload = NewUpload {
            owner,
            object: object.clone(),
            name: "harbour.jpg".to_owned(),
            content_type: String::new(),
            size: None,
            created,
            expires,
        };
        let BegunUpload::Begun(id) = self.server.memory.begin_upload(upload, QUOTA).await? else {
            anyhow::bail!("no room for a file");
        };
        self.note(|| format!("user {owner} begins file {id}"));
        let (is_picture, is_complete, lot) = (false, false, Lot::There);
        let file = Known { owner, object, is_picture, is_complete, expires, lot };
        let before = self.ledger.files.known.insert(id, file);
        ensure!(before.is_none(), "the id of a file is given twice: {id}");
        Ok(id)
    }

    async fn complete(&mut self, id: FileId) -> Result<()> {
        let is_picture = self.random.u8(..3) > 0;
        let kind = if is_picture { "image/jpeg" } else { "text/plain" };
        let facts = FileFacts {
            size: 5,
            content_type: kind.to_owned(),
            sha256: [7; 32],
            dimensions: is_picture.then_some((640, 480)),
            thumbnail: is_picture.then(|| "image/jpeg".to_owned()),
        };
        let expires = TimestampMs::new(self.server.clock.now().get() + DAY_MS);
        self.note(|| format!("file {id} is complete: {kind}"));
        let is_done = self.server.memory.complete_upload(id, facts, expires, QUOTA).await?;
        ensure!(is_done, "an upload that is there can't be completed: {id}");
        let file = self.ledger.files.known.get_mut(&id).context("an upload of nobody")?;
        (file.is_picture, file.is_complete, file.expires) = (is_picture, true, expires);
        Ok(())
    }

    /// Some file to refer to: most of the time one that the user may.
    fn some_file(&mut self, user: UserId) -> Option<FileId> {
        let any = self.random.u8(..8) == 0;
        let files = self.ledger.files.known.iter();
        let likely = files.filter(|(_, file)| {
            any || file.owner == user && file.is_complete && file.lot == Lot::There
        });
        let likely: Vec<_> = likely.map(|(id, _)| *id).collect();
        // Rather a new one, and now and then the same once more.
        let begin = likely.len().saturating_sub(4);
        self.random.choice(&likely[begin..]).copied()
    }

    /// A message with a file.
    pub(crate) fn with_file(&mut self, user: UserId, body: String) -> NewMessage {
        let Some(id) = self.some_file(user) else {
            return NewMessage { body, ..NewMessage::default() };
        };
        let is_picture = self.ledger.files.known[&id].is_picture && self.random.bool();
        NewMessage {
            msg_type: if is_picture { MessageType::Image } else { MessageType::File },
            body,
            attachment: Some(Box::new(AttachmentRef {
                file_id: id.to_string(),
                duration_ms: None,
                width: None,
                height: None,
            })),
            ..NewMessage::default()
        }
    }

    /// Somebody shows another picture, of himself or herself or of a group.
    pub(crate) fn show_picture(&mut self, index: usize) {
        let user = self.devices[index].user;
        let picture = self.some_file(user).filter(|_| self.random.u8(..4) > 0);
        let stewards = self.ledger.timelines.iter().filter(|(_, timeline)| {
            timeline.roles.get(&user) > Some(&petrel_protocol::frame::Role::Member)
        });
        let groups: Vec<_> = stewards.map(|(id, _)| *id).collect();
        match self.random.choice(groups).filter(|_| self.random.bool()) {
            Some(group) => {
                let avatar = Some(picture.map(|id| id.to_string()).unwrap_or_default());
                let new_code = format!("CODE{}", self.random.u64(..));
                let change = GroupChange { avatar, new_code, ..GroupChange::default() };
                self.ask(index, Destination::Conversation(group), Content::ChangeGroup(change));
            }
            None => {
                let name = Some(format!("name {}", self.random.u8(..3)));
                let display_name = Some(name.filter(|_| self.random.u8(..3) > 0));
                let change = ProfileChange {
                    display_name: display_name.filter(|_| self.random.bool()),
                    avatar: Some(picture),
                };
                self.ask(index, Destination::Own, Content::Profile(change));
            }
        }
    }

    /// The node deletes what has expired and what was let go of.
    pub(crate) async fn sweep(&mut self) -> Result<()> {
        let now = self.server.clock.now();
        let over = self.ledger.files.expire(now);
        self.note(|| format!("a sweep, in which {over} files expire"));
        let memory = self.server.memory.clone();
        let removed = memory.remove_expired_files(now, u32::MAX).await?;
        ensure!(removed as usize == over, "{removed} files expire, and not {over}");
        (0..over).for_each(|_| self.ledger.count("fileExpired"));
        let garbage = memory.garbage(u32::MAX).await?;
        let told: BTreeSet<_> = garbage.iter().map(String::as_str).collect();
        let expected = self.ledger.files.garbage();
        ensure!(told == expected, "garbage differs: {told:?} and {expected:?}");
        memory.forget_garbage(garbage).await?;
        for file in self.ledger.files.known.values_mut().filter(|file| file.lot == Lot::Garbage) {
            file.lot = Lot::Collected;
        }
        Ok(())
    }

    /// Somebody asks for a file, whether or not it is there, and whether or not they may.
    pub(crate) async fn probe_file(&mut self) -> Result<()> {
        let user = UserId::new(1 + self.random.u64(..=USERS));
        let ids: Vec<_> = self.ledger.files.known.keys().copied().collect();
        match self.random.choice(ids) {
            Some(id) => self.check_file(user, id).await,
            None => Ok(()),
        }
    }

    async fn check_file(&self, user: UserId, id: FileId) -> Result<()> {
        let files = &self.ledger.files;
        let found = self.server.memory.file(id).await?;
        let known = &files.known[&id];
        let is_there = known.lot == Lot::There;
        ensure!(found.is_some() == is_there, "a file is there or gone: {id} is {:?}", known.lot);
        let Some(found) = found else { return Ok(()) };
        let expires = Some(known.expires).filter(|_| !files.is_referred_to(id));
        ensure!(found.expires == expires, "a file lasts otherwise: {found:?}, not {expires:?}");
        let share = self.server.catchup.share(user, &found).await?;
        let expected = self.ledger.share(user, id);
        ensure!(
            share == expected,
            "a file is shared otherwise: {user} has {share:?} of {id}, and may have {expected:?}; \
             it is of {}, and referred to by {:?}",
            known.owner,
            files.references.get(&id)
        );
        Ok(())
    }

    /// At rest: everybody may have what is theirs to have, and only what something refers to
    /// lasts for ever.
    pub(crate) async fn check_files(&mut self) -> Result<()> {
        let mut referring: BTreeMap<FileId, BTreeSet<(ConversationId, u64)>> = BTreeMap::new();
        for (id, timeline) in &self.ledger.timelines {
            for (seq, file) in files_in(timeline) {
                referring.entry(file).or_default().insert((*id, seq));
            }
        }
        for (id, file) in &self.ledger.files.shown {
            referring.entry(*file).or_default().insert((*id, 0));
        }
        let noted = self.ledger.files.references.iter().filter(|(_, places)| !places.is_empty());
        let noted: BTreeMap<_, _> = noted.map(|(id, it)| (*id, it.clone())).collect();
        ensure!(noted == referring, "references differ: {noted:?} and {referring:?}");
        let ids: Vec<_> = self.ledger.files.known.keys().copied().collect();
        for id in &ids {
            for user in (1..=USERS + 1).map(UserId::new) {
                self.check_file(user, *id).await?;
            }
        }
        self.server.clock.advance(std::time::Duration::from_millis(2 * DAY_MS));
        self.sweep().await?;
        for id in ids {
            let is_there = self.server.memory.file(id).await?.is_some();
            ensure!(is_there == referring.contains_key(&id), "file {id} is there: {is_there}");
        }
        Ok(())
    }
}

/// The files of the messages that are kept and not recalled.
pub(crate) fn files_in(timeline: &Timeline) -> impl Iterator<Item = (u64, FileId)> {
    let kept = (1..).zip(&timeline.entries).filter(|(seq, _)| *seq >= timeline.trimmed_before);
    kept.filter_map(|(seq, entry)| Some((seq, entry.held.message()?.file?)))
}
