//! Calls: from frames to the exchange, and from there to the devices that ring.

use petrel_logic::Refusal;
use petrel_logic::call::{Audience, Party, Ringing};
use petrel_protocol::frame::{
    CallAnswer, CallHangup, CallIce, CallOffer, CallReject, CallState, RequestId, ServerFrame,
};
use petrel_types::ClientMessageId;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Session;
use super::socket::{End, Text};
use crate::Shared;
use crate::outbox::{Outbox, Weight};

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) async fn call(
        &mut self,
        frame: CallOffer,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let shared = &*self.gateway.shared;
        let call_id = frame.call_id.clone();
        let offer = shared.dependencies.calls.offer(self.party(), frame, shared);
        let answer = shared.admission().read(offer).await;
        self.reply_of_call(call_id, answer, id).await
    }

    pub(super) async fn answer_call(
        &mut self,
        frame: CallAnswer,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let shared = &*self.gateway.shared;
        let call_id = frame.call_id.clone();
        let answer = shared.dependencies.calls.answer(self.party(), frame, shared);
        self.reply_of_call(call_id, answer, id).await
    }

    /// Candidates have no answer, unless they are wrong.
    pub(super) async fn candidate(
        &mut self,
        frame: CallIce,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let shared = &*self.gateway.shared;
        let call_id = frame.call_id.clone();
        match shared.dependencies.calls.candidate(self.party(), frame, shared) {
            Ok(()) => Ok(()),
            Err(refusal) => self.reply_of_call(call_id, Err(refusal), id).await,
        }
    }

    pub(super) async fn hang_up(
        &mut self,
        CallHangup { call_id }: CallHangup,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let shared = &*self.gateway.shared;
        let answer = shared.dependencies.calls.hang_up(self.party(), call_id.clone(), shared);
        self.reply_of_call(call_id, answer, id).await
    }

    pub(super) async fn reject_call(
        &mut self,
        CallReject { call_id }: CallReject,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let shared = &*self.gateway.shared;
        let answer = shared.dependencies.calls.reject(self.party(), call_id.clone(), shared);
        self.reply_of_call(call_id, answer, id).await
    }

    async fn reply_of_call(
        &mut self,
        call_id: ClientMessageId,
        answer: Result<CallState, Refusal>,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let frame = match answer {
            Ok(state) => ServerFrame::CallState(state),
            Err(refusal) => {
                let mut frame = refusal.into_frame();
                frame.call_id = Some(call_id);
                ServerFrame::Error(frame)
            }
        };
        self.reply(frame, id).await
    }

    fn party(&self) -> Party {
        party_of(self.outbox)
    }
}

/// A device as calls know it.
pub(crate) fn party_of(outbox: &Outbox) -> Party {
    Party { user: outbox.user(), session: outbox.session() }
}

impl Ringing for Shared {
    fn ring(&self, to: Audience, frame: &ServerFrame) {
        let text: Text = frame.encode(None).into();
        let weight = match frame {
            // There are more where it came from.
            ServerFrame::CallIce(_) => Weight::Light,
            _ => Weight::Heavy,
        };
        let give = |outbox: &Outbox| {
            if outbox.push_signal(&text, weight) {
                outbox.wake();
            } else {
                self.dependencies.metrics.signals_dropped.inc();
            }
        };
        match to {
            Audience::Everywhere(user) => {
                self.registry.for_each_session(user, |outbox| give(outbox));
            }
            Audience::Elsewhere(party) => {
                self.registry.for_each_session(party.user, |outbox| {
                    if outbox.session() != party.session {
                        give(outbox);
                    }
                });
            }
            Audience::Here(party) => {
                if let Some(outbox) = self.registry.session(party.session) {
                    give(&outbox);
                }
            }
        }
    }
}
