//! Who has read a message: asked for, page by page, and never told to everybody.

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Reader, ReaderState, Readers};
use petrel_store::Member;
use petrel_types::limits::STATE_MEMBERS_MAX;
use petrel_types::{Seq, UserId};

use super::{Catchup, DEFAULT_LIMIT, of_store};
use crate::Refusal;
use crate::access::Access;
use crate::event::EventBody;
use crate::refusal::not_a_member;

impl Catchup {
    /// A page of the present members who may read a message, and who of them has. Only for
    /// who has sent it: how far somebody reads is not everybody's business.
    pub async fn readers(&self, user: UserId, request: &Readers) -> Result<ReaderState, Refusal> {
        let Readers { conversation_id, msg_seq, users_after, limit } = *request;
        let member = self.member(user, conversation_id).await?;
        if !member.is_present() {
            return Err(not_a_member());
        }
        if !member.access().allows(msg_seq) {
            return Err(no_message(msg_seq));
        }
        let before = Seq::new(msg_seq.get().saturating_sub(1));
        let page = self.store.events_after(conversation_id, before, 1).await.map_err(of_store)?;
        let event = page.events.into_iter().find(|event| event.seq == msg_seq);
        let is_message =
            |payload: &[u8]| matches!(EventBody::decode(payload), Ok(EventBody::Message(_)));
        let event = event.filter(|event| is_message(&event.payload));
        let event = event.ok_or_else(|| no_message(msg_seq))?;
        if event.sender != user {
            return Err(Refusal::new(
                ErrorReason::NotAllowed,
                "only who has sent a message is told who has read it",
            ));
        }
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, STATE_MEMBERS_MAX);
        let after = users_after.unwrap_or(UserId::new(0));
        let page = self.store.members_after(conversation_id, after, limit).await;
        let page = page.map_err(of_store)?.ok_or_else(not_a_member)?;
        // What somebody has deleted may have been read all the same.
        let may_read = |member: &&Member| Access::new(&member.intervals, None).allows(msg_seq);
        let others = page.members.iter().filter(|member| member.user != user).filter(may_read);
        Ok(ReaderState {
            conversation_id,
            msg_seq,
            readers: others
                .map(|member| Reader {
                    user: member.user,
                    delivered: member.cursors.delivered >= msg_seq,
                    read: member.cursors.read >= msg_seq,
                })
                .collect(),
            more: page.more,
            last_user: page.members.last().map(|member| member.user),
        })
    }
}

fn no_message(seq: Seq) -> Refusal {
    Refusal::new(ErrorReason::MessageNotFound, format!("there is no message at msgSeq {seq}"))
}
