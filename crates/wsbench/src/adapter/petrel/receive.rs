//! What Petrel's frames mean.

use super::super::{Incoming, MessageName, Seat, Sink};
use super::Petrel;
use super::envelope::{Envelope, founds_group};
use crate::ledger::How;

impl Petrel {
    pub(super) fn envelope(
        &mut self,
        seat: Seat,
        text: &str,
        how: Option<How>,
        sink: &mut Sink<'_>,
    ) {
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
            return sink(Incoming::Unrecognised);
        };
        let name = envelope.client_msg_id.as_deref().map(str::as_bytes);
        match &*envelope.r#type {
            "SINGLE_CHAT" | "GROUP_CHAT" => {
                // A message that came astray says nothing about this conversation.
                let from = envelope.from.as_deref().and_then(|from| from.parse().ok());
                if self.in_groups || from == Some(seat.peer) || from == Some(seat.user) {
                    self.copies.saw(seat, &envelope);
                }
                let owes = self.each && how.is_none() && from == Some(seat.peer);
                if let Some(seq) = envelope.msg_seq.filter(|_| owes) {
                    self.copies.copy(seat).owed.push(seq);
                }
                let how = how.unwrap_or(if envelope.redelivered { How::Repeat } else { How::Live });
                let body = envelope.body.as_deref().unwrap_or_default();
                sink(Incoming::Delivery { payload: body.as_bytes(), place: envelope.msg_seq, how });
            }
            "ACK" if founds_group(name) => {
                let id = envelope.conversation_id.as_deref().and_then(|id| id.parse().ok());
                let conversation = self.copies.conversation(seat);
                conversation.id = id.unwrap_or(conversation.id);
                conversation.base = envelope.msg_seq.or(conversation.base);
                conversation.first = envelope.msg_seq.map_or(conversation.first, |seq| seq + 1);
                sink(Incoming::GroupStep);
            }
            "ACK" if envelope.ack_type.as_deref() == Some("saved") => {
                self.copies.saw(seat, &envelope);
                let name = name.and_then(MessageName::parse);
                sink(Incoming::Ack { name, duplicate: envelope.duplicate });
            }
            "ACK" => sink(Incoming::Receipt),
            "AUTH_OK" => sink(Incoming::Ready),
            "AUTH_FAIL" => {
                sink(Incoming::LoginRefused(envelope.reason.as_deref().unwrap_or("auth_fail")));
            }
            "PONG" => match envelope.id.and_then(|id| id.get().parse().ok()) {
                Some(token) => sink(Incoming::Pong(token)),
                None => sink(Incoming::Other),
            },
            "PRESENCE" | "PRESENCE_STATE" => {
                for item in &envelope.items {
                    match item.user.parse() {
                        Ok(user) => sink(Incoming::Presence { user, there: item.online }),
                        Err(_) => sink(Incoming::Unrecognised),
                    }
                }
            }
            "EVENTS" => self.events(seat, &envelope, sink),
            "GAP" => sink(Incoming::Gap),
            "ERROR" => {
                let reason = envelope.reason.as_deref().unwrap_or("error");
                // What the protocol says to send again, in order and with `retry: true`.
                let again = matches!(
                    reason,
                    "server_busy" | "after_refused" | "timeout" | "too_many_requests"
                );
                let again_after_ms = again.then(|| envelope.retry_after_ms.unwrap_or(1000));
                match name {
                    Some(_) if founds_group(name) => {
                        sink(Incoming::GroupRefused { reason, again_after_ms });
                    }
                    Some(name) => sink(Incoming::Refused {
                        name: MessageName::parse(name),
                        reason,
                        again_after_ms,
                    }),
                    None => sink(Incoming::ServerError(reason)),
                }
            }
            _ => sink(Incoming::Other),
        }
    }

    fn events(&mut self, seat: Seat, envelope: &Envelope<'_>, sink: &mut Sink<'_>) {
        for event in &envelope.events {
            self.envelope(seat, event.get(), Some(How::History), sink);
        }
        let base = self.copies.conversation(seat).base.unwrap_or_default();
        let covered = envelope.to_seq.and_then(|seq| seq.checked_sub(base));
        if let Some(covered) = covered.and_then(|seq| u32::try_from(seq).ok()) {
            let copy = self.copies.copy(seat);
            copy.seen.see_through(covered);
        }
        if let Some(seq) = envelope.to_seq {
            self.copies.copy(seat).pulled = seq;
        }
        sink(Incoming::HistoryPage { more: envelope.has_more });
    }
}
