//! What a session is asked: each frame goes to the part of the system that answers it.
//!
//! Sends and changes are commands, which the sequencer answers through the outbox; reads wait
//! at the gate of expensive reads and are answered at once.

use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    ClientFrame, Decoded, Error as ErrorFrame, Pong, RequestId, ServerFrame,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::{End, Inbound};
use crate::throttle::{NOTHING, ONE_FRAME, costs_of};

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) async fn receive(&mut self, message: Inbound) -> Result<(), End> {
        self.last_inbound = Instant::now();
        match message {
            // Boxed like whatever else is rare or short in a session's life: what it needs on
            // the way would be part of every waiting session otherwise.
            Inbound::Text(text) => Box::pin(self.handle_text(&text)).await,
            Inbound::Binary => {
                let error = ErrorFrame::new(
                    ErrorReason::BadJson,
                    "binary frames are not spoken here; send JSON in text frames",
                );
                self.reply(ServerFrame::Error(error), None).await?;
                self.charge_malformed().await
            }
            Inbound::SignOfLife => self.charge(ONE_FRAME).await,
        }
    }

    async fn handle_text(&mut self, text: &str) -> Result<(), End> {
        self.metrics().frames_received.inc();
        self.metrics().bytes_received.inc_by(text.len() as u64);
        let Decoded { id, frame } = match ClientFrame::decode(text) {
            Ok(decoded) => decoded,
            Err(error) => {
                let mut frame = ErrorFrame::new(error.reason, error.message);
                frame.client_msg_id = error.client_msg_id;
                self.reply(ServerFrame::Error(frame), error.id).await?;
                return self.charge_malformed().await;
            }
        };
        // A call must not stall because its candidates come all at once.
        let is_free = matches!(frame, ClientFrame::CallIce(_))
            && self.gateway.shared.dependencies.calls.has_room_for_candidate(self.user());
        let costs = if is_free { NOTHING } else { costs_of(&frame) };
        self.handle(frame, id).await?;
        self.charge(costs).await
    }

    async fn handle(&mut self, frame: ClientFrame, id: Option<RequestId>) -> Result<(), End> {
        match frame {
            ClientFrame::Auth(_) => self.reply(self.auth_ok(), id).await,
            ClientFrame::Reauth(frame) => self.reauthenticate(frame, id).await,
            ClientFrame::Ping(_) => {
                let pong = Pong { ts: self.gateway.shared.dependencies.clock.now() };
                self.reply(ServerFrame::Pong(pong), id).await
            }
            ClientFrame::SingleChat(frame) => self.send(frame, id).await,
            ClientFrame::GroupChat(frame) => self.send(frame, id).await,
            ClientFrame::MessageRevoke(frame) => self.revoke(frame, id).await,
            ClientFrame::MessageEdit(frame) => self.edit(frame, id).await,
            ClientFrame::Reaction(frame) => self.react(frame, id).await,
            ClientFrame::MessagePin(frame) => self.pin(frame, id).await,
            ClientFrame::MessageHide(frame) => self.send(frame, id).await,
            ClientFrame::ConversationSettings(frame) => self.send(frame, id).await,
            ClientFrame::Readers(request) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.readers(self.user(), &request);
                self.answer(read, ServerFrame::ReaderState, id).await
            }
            ClientFrame::GroupCreate(frame) => self.send(frame, id).await,
            ClientFrame::GroupAdd(frame) => self.send(frame, id).await,
            ClientFrame::GroupRemove(frame) => self.send(frame, id).await,
            ClientFrame::GroupLeave(frame) => self.send(frame, id).await,
            ClientFrame::GroupRole(frame) => self.send(frame, id).await,
            ClientFrame::GroupTitle(frame) => self.send(frame, id).await,
            ClientFrame::GroupDissolve(frame) => self.send(frame, id).await,
            ClientFrame::GroupSettings(frame) => self.send(frame, id).await,
            ClientFrame::GroupMember(frame) => self.send(frame, id).await,
            ClientFrame::GroupAnswer(frame) => self.send(frame, id).await,
            ClientFrame::GroupInvitation(frame) => self.send(frame, id).await,
            ClientFrame::GroupInvitations(request) => {
                let contacts = &self.gateway.shared.dependencies.contacts;
                let read = contacts.invitations(self.user(), &request);
                self.answer(read, ServerFrame::GroupInvitationState, id).await
            }
            ClientFrame::GroupInvited(request) => {
                let dependencies = &self.gateway.shared.dependencies;
                let now = dependencies.clock.now();
                let read = dependencies.catchup.invited(self.user(), &request, now);
                self.answer(read, ServerFrame::GroupInvitedState, id).await
            }
            ClientFrame::GroupWithdraw(frame) => self.send(frame, id).await,
            ClientFrame::GroupJoin(frame) => self.join(frame, id).await,
            ClientFrame::GroupRequests(request) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.requests(self.user(), &request);
                self.answer(read, ServerFrame::GroupRequestState, id).await
            }
            ClientFrame::Contact(frame) => self.change_contact(frame, id).await,
            ClientFrame::Contacts(request) => {
                let contacts = &self.gateway.shared.dependencies.contacts;
                let read = contacts.list(self.user(), &request);
                self.answer(read, ServerFrame::ContactState, id).await
            }
            ClientFrame::Ack(ack) => {
                let outcome = self.receipts(ack, id.clone()).await;
                self.reply_if_refused(outcome, id).await
            }
            ClientFrame::Sync(sync) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.sync(self.user(), &sync);
                self.answer(read, ServerFrame::SyncState, id).await
            }
            ClientFrame::Pull(pull) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.pull(self.user(), &pull);
                self.answer(read, ServerFrame::Events, id).await
            }
            ClientFrame::Conversation(request) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.conversation(self.user(), &request);
                self.answer(read, ServerFrame::ConversationState, id).await
            }
            ClientFrame::Search(request) => {
                let search = &self.gateway.shared.dependencies.search;
                let read = search.find(self.user(), &request);
                self.answer(read, ServerFrame::Found, id).await
            }
            ClientFrame::Focus(focus) => {
                let answer = self.focus(focus).await;
                self.reply_or_refuse(answer.map(ServerFrame::Focused), id).await
            }
            ClientFrame::PresenceSubscribe(frame) => {
                let answer = self.subscribe(frame).await;
                self.reply_or_refuse(answer.map(ServerFrame::PresenceState), id).await
            }
            ClientFrame::PresenceQuery(frame) => {
                let answer = self.presence(frame).await;
                self.reply_or_refuse(answer.map(ServerFrame::PresenceState), id).await
            }
            ClientFrame::Typing(frame) => self.typing(frame, id).await,
            ClientFrame::CallOffer(frame) => self.call(frame, id).await,
            ClientFrame::CallAnswer(frame) => self.answer_call(frame, id).await,
            ClientFrame::CallIce(frame) => self.candidate(frame, id).await,
            ClientFrame::CallHangup(frame) => self.hang_up(frame, id).await,
            ClientFrame::CallReject(frame) => self.reject_call(frame, id).await,
            ClientFrame::Turn(_) => {
                let dependencies = &self.gateway.shared.dependencies;
                let now = dependencies.clock.now();
                let credentials = dependencies.turn.credentials(self.user(), now);
                self.reply(ServerFrame::TurnCredentials(credentials), id).await
            }
        }
    }

    /// Reads when it is this read's turn, and says what came of it.
    async fn answer<T>(
        &mut self,
        read: impl Future<Output = Result<T, Refusal>>,
        frame: impl FnOnce(T) -> ServerFrame,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let answer = self.gateway.shared.admission().read(read).await;
        self.reply_or_refuse(answer.map(frame), id).await
    }

    pub(super) async fn reply_or_refuse(
        &mut self,
        answer: Result<ServerFrame, Refusal>,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let frame = answer.unwrap_or_else(|refusal| ServerFrame::Error(refusal.into_frame()));
        self.reply(frame, id).await
    }

    pub(super) async fn reply_if_refused(
        &mut self,
        outcome: Result<(), Refusal>,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        match outcome {
            Ok(()) => Ok(()),
            Err(refusal) => self.reply(ServerFrame::Error(refusal.into_frame()), id).await,
        }
    }
}
