//! Changes that are made in their place in a timeline, for which a server has to run.
//!
//! The record is kept first, and its number names the change: it is made once, however often
//! it is asked for. What is refused then has a record of its own.

use petrel_log::{Content, Destination, SendRequest};
use petrel_protocol::http::admin::AuditAction;
use petrel_types::{ClientMessageId, ConversationId, UserId};

use super::{Administration, Operator, Target, of_store};
use crate::Refusal;

/// A change of a user or a group.
pub(super) struct Ruling {
    pub(super) target: Target,
    pub(super) action: AuditAction,
    pub(super) detail: String,
    /// Where it is made.
    pub(super) timeline: ConversationId,
    pub(super) content: Content,
}

impl Administration {
    /// Records a change, and has it carried out.
    pub(super) async fn carry_out(
        &self,
        operator: &Operator,
        ruling: Ruling,
    ) -> Result<(), Refusal> {
        let running = self.running()?;
        let Ruling { target, action, detail, timeline, content } = ruling;
        let record = self.record(operator, action, Some(target), detail);
        let number = self.store.keep_record(record).await.map_err(of_store)?;
        let name = ClientMessageId::new(format!("audit-{number}"));
        let send = SendRequest {
            to: Destination::Conversation(timeline),
            client_message_id: name.expect("a short text"),
            content,
            retry: true,
            first_sent: None,
        };
        match running.requester.send(UserId::SYSTEM, send).await {
            Ok(_) => {
                tracing::info!(by = ?operator.user, ?target, %action, "an admin has changed this");
                Ok(())
            }
            Err(refusal) => {
                let detail = format!("record {number}: {}", refusal.reason);
                let failed = match target {
                    Target::User(_) => AuditAction::UserChangeFailed,
                    Target::Group(_) => AuditAction::GroupChangeFailed,
                };
                let record = self.record(operator, failed, Some(target), detail);
                self.store.keep_record(record).await.map_err(of_store)?;
                Err(refusal)
            }
        }
    }
}
