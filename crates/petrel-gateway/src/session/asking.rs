//! From requests to commands: what a session puts into the log, and in which order.

use petrel_log::{AppendError, Command, Content, Origin, ReceiptKind, Request, SendRequest};
use petrel_logic::Refusal;
use petrel_logic::refusal::RETRY_AFTER_MS;
use petrel_logic::requests::{IntoSend, change_message, check_body, join_group};
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{
    Ack, ClientAckType, ContactAction, ContactChange, GroupJoin, MessageEdit, MessagePin,
    MessageReact, MessageRevoke, RequestId, ServerFrame,
};
use petrel_types::limits::ACK_ITEMS_MAX;
use petrel_types::{ClientMessageId, ConversationId, RowId, Seq};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::End;
use crate::metrics::Limit;
use crate::sends::UNTRACKED;

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) async fn send(
        &mut self,
        frame: impl IntoSend,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let client_message_id = frame.client_message_id().clone();
        let send = frame.into_send();
        self.begin_or_refuse(send, client_message_id, id).await
    }

    pub(super) async fn change_contact(
        &mut self,
        frame: ContactChange,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let shared = &self.gateway.shared;
        let counted = match frame.action {
            ContactAction::Apply => {
                let (contacts, now) =
                    (&shared.dependencies.contacts, shared.dependencies.clock.now());
                let message = frame.message.as_deref();
                let count = contacts.count_application(self.user(), frame.user, message, now);
                shared.admission().read(count).await
            }
            _ => Ok(()),
        };
        let client_message_id = frame.client_msg_id.clone();
        let send = counted.and_then(|()| frame.into_send());
        self.begin_or_refuse(send, client_message_id, id).await
    }

    pub(super) async fn join(
        &mut self,
        frame: GroupJoin,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let GroupJoin { client_msg_id, code, message } = frame;
        let contacts = &self.gateway.shared.dependencies.contacts;
        let read = contacts.find_group(self.user(), &code);
        let found = self.gateway.shared.admission().read(read).await;
        let send = found.map(|found| join_group(found, client_msg_id.clone(), message));
        self.begin_or_refuse(send, client_msg_id, id).await
    }

    pub(super) async fn revoke(
        &mut self,
        frame: MessageRevoke,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let MessageRevoke { client_msg_id, conversation_id, msg_seq, server_msg_id } = frame;
        let place = self.place(conversation_id, msg_seq, server_msg_id).await;
        let send = place.map(|(conversation, target)| {
            change_message(conversation, client_msg_id.clone(), Content::Recall { target })
        });
        self.begin_or_refuse(send, client_msg_id, id).await
    }

    pub(super) async fn edit(
        &mut self,
        frame: MessageEdit,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let MessageEdit { client_msg_id, conversation_id, msg_seq, server_msg_id, body } = frame;
        let place = match check_body(&body) {
            Ok(()) => self.place(conversation_id, msg_seq, server_msg_id).await,
            Err(refusal) => Err(refusal),
        };
        let send = place.map(|(conversation, target)| {
            change_message(conversation, client_msg_id.clone(), Content::Edit { target, body })
        });
        self.begin_or_refuse(send, client_msg_id, id).await
    }

    pub(super) async fn react(
        &mut self,
        frame: MessageReact,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let MessageReact { client_msg_id, conversation_id, msg_seq, server_msg_id, .. } = frame;
        let MessageReact { emoji, remove, .. } = frame;
        let place = self.place(conversation_id, msg_seq, server_msg_id).await;
        let send = place.map(|(conversation, target)| {
            let content = Content::React { target, emoji, remove };
            change_message(conversation, client_msg_id.clone(), content)
        });
        self.begin_or_refuse(send, client_msg_id, id).await
    }

    pub(super) async fn pin(
        &mut self,
        frame: MessagePin,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let MessagePin { client_msg_id, conversation_id, msg_seq, server_msg_id, remove } = frame;
        let place = self.place(conversation_id, msg_seq, server_msg_id).await;
        let send = place.map(|(conversation, target)| {
            change_message(conversation, client_msg_id.clone(), Content::Pin { target, remove })
        });
        self.begin_or_refuse(send, client_msg_id, id).await
    }

    /// Where the event is that a frame names in one of two ways.
    async fn place(
        &mut self,
        conversation: Option<ConversationId>,
        seq: Option<Seq>,
        row: Option<RowId>,
    ) -> Result<(ConversationId, Seq), Refusal> {
        match (conversation, seq, row) {
            (Some(conversation), Some(seq), _) => Ok((conversation, seq)),
            (_, _, Some(row)) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                self.gateway.shared.admission().read(catchup.place_of(self.user(), row)).await
            }
            _ => Err(Refusal::new(
                ErrorReason::InvalidField,
                "name the message by conversationId and msgSeq, or by serverMsgId",
            )),
        }
    }

    async fn begin_or_refuse(
        &mut self,
        send: Result<SendRequest, Refusal>,
        client_message_id: ClientMessageId,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let words = &self.gateway.shared.dependencies.words;
        let looked_at = send.and_then(|mut send| {
            let words_replaced = words.check(self.outbox.user(), &mut send)?;
            Ok((send, words_replaced))
        });
        let begun = looked_at
            .and_then(|(send, words_replaced)| self.begin_send(send, id.clone(), words_replaced));
        if let Err(refusal) = begun {
            let mut frame = refusal.into_frame();
            frame.client_msg_id = Some(client_message_id);
            self.reply(ServerFrame::Error(frame), id).await?;
            if self.sends.is_overwhelmed() {
                return Err(End::Close(CloseCode::Busy, Some(RETRY_AFTER_MS)));
            }
        }
        Ok(())
    }

    fn begin_send(
        &mut self,
        send: SendRequest,
        id: Option<RequestId>,
        words_replaced: bool,
    ) -> Result<(), Refusal> {
        let (to, client_message_id) = (send.to, send.client_message_id.clone());
        self.sends.check_order(to, &client_message_id)?;
        let tag = self.sends.next_tag();
        tracing::debug!(
            request = %self.origin(tag), actor = %self.user(), %client_message_id, ?id, "asked"
        );
        // A legacy client doesn't know how to say that it sends again.
        let send = SendRequest { retry: send.retry || self.legacy, ..send };
        match self.append(tag, Request::Send(send)) {
            Ok(()) => {
                self.sends.began(tag, to, client_message_id, id, Instant::now());
                if words_replaced {
                    self.sends.words_replaced(tag);
                }
                if !self.sends.has_room() {
                    self.metrics().met(Limit::SendsInFlight);
                }
                Ok(())
            }
            Err(refusal) => {
                self.sends.refused(tag, to, client_message_id);
                Err(refusal)
            }
        }
    }

    pub(super) async fn receipts(
        &mut self,
        ack: Ack,
        id: Option<RequestId>,
    ) -> Result<(), Refusal> {
        // A receipt in order has no answer, so that only one with an `id`, which a refusal
        // has to echo, is followed up.
        let tag = if id.is_some() { self.sends.next_tag() } else { UNTRACKED };
        let mut commands = 0;
        let outcome = self.move_cursors(ack, tag, &mut commands).await;
        if let Some(id) = id {
            self.sends.receipt_began(tag, id, commands);
        }
        outcome
    }

    /// Asks for each position of a receipt. `commands` counts those that are on their way.
    async fn move_cursors(
        &mut self,
        ack: Ack,
        tag: u64,
        commands: &mut u32,
    ) -> Result<(), Refusal> {
        let kind = match ack.ack_type {
            ClientAckType::Delivered => ReceiptKind::Delivered,
            ClientAckType::Read => ReceiptKind::Read,
        };
        if ack.items.len() > ACK_ITEMS_MAX {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("`items` has more than {ACK_ITEMS_MAX} entries"),
            ));
        }
        let names_one = ack.conversation_id.is_some() || ack.server_msg_id.is_some();
        if names_one || ack.items.is_empty() {
            let place = self.place(ack.conversation_id, ack.msg_seq, ack.server_msg_id).await;
            let (conversation, seq) = place?;
            self.advance(tag, conversation, kind, seq)?;
            *commands += 1;
        }
        for item in ack.items {
            self.advance(tag, item.conversation_id, kind, item.msg_seq)?;
            *commands += 1;
        }
        Ok(())
    }

    fn advance(
        &mut self,
        tag: u64,
        conversation: ConversationId,
        kind: ReceiptKind,
        seq: Seq,
    ) -> Result<(), Refusal> {
        self.unacked.acked(conversation, seq, Instant::now());
        self.append(tag, Request::AdvanceCursor { conversation, kind, seq })
    }

    fn origin(&self, tag: u64) -> Origin {
        Origin { node: self.gateway.shared.config.node, session: self.outbox.session(), tag }
    }

    fn append(&self, tag: u64, request: Request) -> Result<(), Refusal> {
        let shared = &self.gateway.shared;
        let command = Command { origin: self.origin(tag), actor: self.user(), request };
        shared.dependencies.log.append(command).map_err(|error| {
            if matches!(error, AppendError::Full) {
                self.metrics().met(Limit::Commands);
            }
            let message = match error {
                AppendError::Full => "the server is busy; nothing was stored, send it again",
                AppendError::Closed => "the server is going down; send it again elsewhere",
            };
            Refusal::new(ErrorReason::ServerBusy, message)
        })
    }
}
