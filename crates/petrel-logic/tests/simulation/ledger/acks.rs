//! What devices are answered: an ack says where something is stored, a refusal that it is not.

use anyhow::{Context, Result, ensure};
use petrel_log::Content;
use petrel_protocol::frame::{Change, DoneAck, SavedAck};
use petrel_store::ConversationKind;
use petrel_types::UserId;

use super::Ledger;
use crate::held::What;

impl Ledger {
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
}
