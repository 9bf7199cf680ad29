//! A device: what a client program does, as docs/protocol.md tells it to.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result, bail, ensure};
use petrel_log::{Content, Destination};
use petrel_logic::sync::Catchup;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    Change, Conversation, ConversationKind, Error as ErrorFrame, Events, Pull, ReceiptAck,
    ReceiptKind, SavedAck, ServerAck, ServerFrame, Sync, SyncConversation,
};
use petrel_types::{ConversationId, Seq, SessionId, TimestampMs, UserId};

use crate::contacts::ContactBook;
use crate::copy::{Copy, Group};
use crate::held::{Held, Message, Placed, What};

/// The most events of one pull.
const PULL_EVENTS: u32 = 7;

/// Something that was asked for and has no answer yet.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    pub(crate) name: String,
    pub(crate) to: Destination,
    pub(crate) content: Content,
    pub(crate) first_sent: TimestampMs,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) number: usize,
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) online: bool,
    /// Frames that have arrived and wait to be looked at.
    pub(crate) inbox: Vec<ServerFrame>,
    /// Whether a frame was lost on its way since the last sync.
    pub(crate) missed: bool,
    pub(crate) unsent: Vec<Unsent>,
    pub(crate) copies: BTreeMap<ConversationId, Copy>,
    /// Receipts sent and not yet decided on, in order.
    pub(crate) claims: VecDeque<(ConversationId, (u64, u64))>,
    /// A new device that begins with the last page instead of the first.
    pub(crate) begins_at_the_end: bool,
    /// It holds nothing of before it began.
    is_new: bool,
    pub(crate) contacts: ContactBook,
    sync_token: Option<String>,
    next_name: u64,
}

impl Device {
    pub(crate) fn new(number: usize, user: UserId, session: SessionId) -> Self {
        Self {
            number,
            user,
            session,
            online: false,
            inbox: Vec::new(),
            missed: false,
            unsent: Vec::new(),
            copies: BTreeMap::new(),
            claims: VecDeque::new(),
            begins_at_the_end: false,
            is_new: true,
            contacts: ContactBook::default(),
            sync_token: None,
            next_name: 0,
        }
    }

    /// A name for something new.
    pub(crate) fn next_name(&mut self) -> String {
        self.next_name += 1;
        format!("{}-{}", self.number, self.next_name)
    }

    /// The connection is lost, and with it whatever was on its way.
    pub(crate) fn lose_connection(&mut self) {
        self.online = false;
        self.inbox.clear();
        self.claims.clear();
    }

    /// A receipt of this session was decided on.
    pub(crate) fn settle_claim(&mut self, accepted: bool) {
        let (conversation, cursors) = self.claims.pop_front().expect("a receipt was sent");
        if accepted && let Some(copy) = self.copies.get_mut(&conversation) {
            copy.move_cursors(self.user, cursors);
        }
    }

    /// Looks at what has arrived, and pulls where a number jumps.
    pub(crate) async fn read_inbox(&mut self, catchup: &Catchup) -> Result<()> {
        for frame in std::mem::take(&mut self.inbox) {
            match frame {
                ServerFrame::Ack(ServerAck::Saved(ack)) => self.take_ack(&ack)?,
                ServerFrame::Ack(ServerAck::Done(ack)) => {
                    self.take_done(ack.client_msg_id.as_str());
                    self.unsent.retain(|unsent| unsent.name != ack.client_msg_id.as_str());
                }
                ServerFrame::Ack(ServerAck::Receipt(receipt)) => self.take_receipt(&receipt),
                ServerFrame::Error(error) => self.take_error(&error),
                frame => match Placed::of(&frame) {
                    Some(placed) => self.place(placed)?,
                    None => bail!("a strange push: {frame:?}"),
                },
            }
        }
        self.pull_all(catchup).await
    }

    /// Catches up after coming back: sync to the end, then pull.
    pub(crate) async fn catch_up(&mut self, catchup: &Catchup) -> Result<()> {
        loop {
            let request = Sync { token: self.sync_token.clone(), limit: Some(2) };
            let state = catchup.sync(self.user, &request).await?;
            for conversation in &state.conversations {
                self.take_sync(conversation, catchup).await?;
            }
            self.sync_token = Some(state.token);
            if !state.more {
                break;
            }
        }
        self.missed = false;
        self.is_new = false;
        self.pull_all(catchup).await
    }

    /// Forgets everything but what was never acked: a new device of the same user.
    pub(crate) fn forget(&mut self) {
        self.contacts = ContactBook::default();
        self.copies.clear();
        self.sync_token = None;
        self.is_new = true;
    }

    async fn pull_all(&mut self, catchup: &Catchup) -> Result<()> {
        let behind = |copy: &Copy| {
            let wants_state = copy.is_group && copy.present;
            copy.wanted > copy.position || wants_state && !matches!(copy.group, Group::Known(_))
        };
        let ids: Vec<_> =
            self.copies.iter().filter(|(_, copy)| behind(copy)).map(|(id, _)| *id).collect();
        for id in ids {
            while self.copies[&id].wanted > self.copies[&id].position {
                let before = self.copies[&id].position;
                if !self.pull(id, catchup).await? {
                    let copy = &self.copies[&id];
                    ensure!(
                        copy.position >= copy.wanted,
                        "told of what can't be pulled: {id} from {before} to {}, not to {}",
                        copy.position,
                        copy.wanted
                    );
                }
            }
            self.fetch_state(id, catchup).await?;
        }
        Ok(())
    }

    /// Pulls a page after the position. Returns whether there is more.
    async fn pull(&mut self, id: ConversationId, catchup: &Catchup) -> Result<bool> {
        let after = self.copies[&id].position;
        let request = Pull {
            conversation_id: id,
            after_seq: Some(Seq::new(after)),
            before_seq: None,
            limit: Some(PULL_EVENTS),
        };
        let answer = catchup.pull(self.user, &request).await?;
        let copy = self.copies.get_mut(&id).context("asked for it")?;
        let trimmed_before = answer.trimmed_before.get();
        ensure!(answer.from_seq.get() == trimmed_before.max(after + 1), "covered: {answer:?}");
        if trimmed_before > after + 1 {
            copy.forget_before(trimmed_before);
        }
        let mut notices = Vec::new();
        for placed in placed(&answer)? {
            ensure!(placed.seq > copy.position, "out of order: {answer:?}");
            notices.push(placed.held.what.clone());
            copy.append(self.user, placed.seq, placed.held);
        }
        copy.position = copy.position.max(answer.to_seq.get());
        notices.iter().for_each(|what| self.take_notice(what));
        Ok(answer.has_more)
    }

    /// Pulls a page of what is before the copy, as when the user scrolls up.
    pub(crate) async fn scroll(&mut self, id: ConversationId, catchup: &Catchup) -> Result<()> {
        let before = self.copies[&id].from;
        let answer = self.pull_before(id, before, catchup).await?;
        let copy = self.copies.get_mut(&id).context("asked for it")?;
        ensure!(
            answer.to_seq.get() >= before - 1
                || answer.to_seq.get() + 1 == answer.trimmed_before.get(),
            "not covered up to {before}: {answer:?}"
        );
        for placed in placed(&answer)? {
            copy.events.insert(placed.seq, placed.held);
        }
        copy.from = copy.from.min(answer.from_seq.get());
        Ok(())
    }

    async fn pull_before(
        &self,
        id: ConversationId,
        before: u64,
        catchup: &Catchup,
    ) -> Result<Events> {
        let request = Pull {
            conversation_id: id,
            after_seq: None,
            before_seq: Some(Seq::new(before)),
            limit: Some(PULL_EVENTS),
        };
        Ok(catchup.pull(self.user, &request).await?)
    }

    /// Asks for a page of the members of a group of which not enough is known.
    async fn fetch_state(&mut self, id: ConversationId, catchup: &Catchup) -> Result<()> {
        let copy = self.copies.get_mut(&id).context("asked for it")?;
        if !copy.is_group || !copy.present || matches!(copy.group, Group::Known(_)) {
            return Ok(());
        }
        let members_after = match &copy.group {
            Group::Fetching(_, last) => Some(*last),
            _ => None,
        };
        let request = Conversation { conversation_id: id, members_after, limit: Some(2) };
        match catchup.conversation(self.user, &request).await {
            Ok(page) => copy.take_state(self.user, page),
            Err(refusal) if refusal.reason == ErrorReason::ConversationNotFound => {
                // No longer a member; the event that says so is on its way.
                (copy.present, copy.group) = (false, Group::Unknown);
            }
            Err(refusal) => return Err(refusal.into()),
        }
        Ok(())
    }

    /// Asks until nothing of the groups is unknown.
    pub(crate) async fn fetch_states(&mut self, catchup: &Catchup) -> Result<()> {
        let ids: Vec<_> = self.copies.keys().copied().collect();
        for id in ids {
            while {
                let copy = &self.copies[&id];
                copy.is_group && copy.present && !matches!(copy.group, Group::Known(_))
            } {
                self.fetch_state(id, catchup).await?;
            }
        }
        Ok(())
    }

    /// What this device has asked for itself, it is not told again.
    fn take_done(&mut self, name: &str) {
        let unsent = self.unsent.iter().find(|unsent| unsent.name == name);
        if let Some(Unsent { content: Content::Hide { up_to: Some(up_to), .. }, to, .. }) = unsent
            && let Destination::Conversation(conversation) = to
            && let Some(copy) = self.copies.get_mut(conversation)
        {
            copy.move_cursors(self.user, (up_to.get(), up_to.get()));
        }
    }

    /// What the personal timeline tells of other conversations.
    fn take_notice(&mut self, what: &What) {
        match what {
            What::Change(Change::MessagesHidden { conversation_id, msg_seqs, up_to_seq }) => {
                let seqs: Vec<_> = msg_seqs.iter().map(|seq| seq.get()).collect();
                let up_to = up_to_seq.map_or(0, |seq| seq.get());
                let user = self.user;
                let copy = self.copies.entry(*conversation_id).or_default();
                // What it was never shown may have moved cursors, of which a sync tells.
                self.missed |= up_to > 0 || seqs.iter().any(|seq| !copy.events.contains_key(seq));
                copy.hide(&seqs, up_to);
                // It counts as read.
                copy.move_cursors(user, (up_to, up_to));
            }
            What::Change(Change::ConversationSettingsChanged { conversation_id, settings }) => {
                if let Some(copy) = self.copies.get_mut(conversation_id) {
                    copy.settings = *settings;
                }
            }
            _ => {}
        }
    }

    fn place(&mut self, placed: Placed) -> Result<()> {
        let copy = self.copies.entry(placed.conversation).or_default();
        let is_next = placed.seq == copy.position + 1;
        let what = placed.held.what.clone();
        copy.place(self.user, placed.seq, placed.held)
            .with_context(|| format!("device {} in {}", self.number, placed.conversation))?;
        // In the order of the timeline, so that what comes last holds.
        if is_next {
            self.take_notice(&what);
        }
        Ok(())
    }

    fn take_ack(&mut self, ack: &SavedAck) -> Result<()> {
        let name = ack.client_msg_id.as_str();
        let Some(place) = self.unsent.iter().position(|unsent| unsent.name == name) else {
            // Sent twice over one connection; the first may have been refused.
            self.expect(ack);
            return Ok(());
        };
        let unsent = self.unsent.remove(place);
        let target = |target: &Seq| *target;
        let what = match &unsent.content {
            Content::Text(body) => {
                What::Message(Message { body: body.clone(), ..Message::default() })
            }
            Content::Recall { target: seq } => {
                What::Change(Change::Recalled { target_seq: target(seq) })
            }
            Content::Edit { target: seq, body } => {
                What::Change(Change::Edited { target_seq: target(seq), body: Some(body.clone()) })
            }
            // The ack says that there is an event, and not what is in it.
            _ => {
                self.expect(ack);
                return Ok(());
            }
        };
        self.place(Placed {
            conversation: ack.conversation_id,
            seq: ack.msg_seq.get(),
            held: Held {
                row: ack.server_msg_id,
                from: self.user,
                name: Some(unsent.name),
                ts: ack.ts,
                what,
            },
        })
    }

    /// There is an event that is still to be pulled.
    fn expect(&mut self, ack: &SavedAck) {
        let copy = self.copies.entry(ack.conversation_id).or_default();
        copy.wanted = copy.wanted.max(ack.msg_seq.get());
    }

    fn take_error(&mut self, error: &ErrorFrame) {
        let is_final = !matches!(
            error.reason,
            ErrorReason::ServerBusy
                | ErrorReason::StorageFull
                | ErrorReason::AfterRefused
                | ErrorReason::Timeout
        );
        if let Some(name) = error.client_msg_id.as_ref().filter(|_| is_final) {
            self.unsent.retain(|unsent| unsent.name != name.as_str());
        }
    }

    fn take_receipt(&mut self, receipt: &ReceiptAck) {
        let seq = receipt.msg_seq.get();
        let copy = self.copies.entry(receipt.conversation_id).or_default();
        copy.move_cursors(
            receipt.from,
            match receipt.ack_type {
                ReceiptKind::Delivered => (seq, 0),
                ReceiptKind::Read => (seq, seq),
            },
        );
    }

    async fn take_sync(&mut self, state: &SyncConversation, catchup: &Catchup) -> Result<()> {
        let user = self.user;
        let id = state.conversation_id;
        // What it holds already may have been deleted in the beginning of a personal timeline.
        let may_skip = self.is_new || state.kind != ConversationKind::Personal;
        if self.begins_at_the_end && may_skip && !self.copies.contains_key(&id) {
            let answer = self.pull_before(id, state.head_seq.get() + 1, catchup).await?;
            let copy = self.copies.entry(id).or_default();
            copy.from = answer.from_seq.get();
            for placed in placed(&answer)? {
                copy.append(user, placed.seq, placed.held);
            }
            copy.position = answer.to_seq.get();
        }
        let copy = self.copies.entry(id).or_default();
        copy.wanted = copy.wanted.max(state.head_seq.get());
        copy.is_group = state.kind == ConversationKind::Group;
        copy.is_personal = state.kind == ConversationKind::Personal;
        copy.present = !state.left;
        copy.settings = state.settings;
        copy.move_cursors(user, (state.delivered_seq.get(), state.read_seq.get()));
        if let (Some(peer), Some(delivered), Some(read)) =
            (state.peer, state.peer_delivered_seq, state.peer_read_seq)
        {
            copy.move_cursors(peer, (delivered.get(), read.get()));
        }
        Ok(())
    }
}

/// The events in an answer.
pub(crate) fn placed(answer: &Events) -> Result<Vec<Placed>> {
    let event = |text: &str| {
        let frame = ServerFrame::decode(text).ok().context("an event that can't be read")?.frame;
        Placed::of(&frame).with_context(|| format!("no event: {frame:?}"))
    };
    answer.events.iter().map(|text| event(text.get())).collect()
}
