//! From a committed batch to outboxes.
//!
//! Runs on its own task, never on the sequencer's thread. A frame is encoded once and
//! its bytes are shared by all receivers; each touched session is woken once, after
//! the whole batch, so that it writes once.

use std::collections::HashMap;
use std::sync::Arc;

use petrel_log::Origin;
use petrel_logic::sequencer::{CommittedBatch, Effect};
use petrel_protocol::frame::ServerFrame;
use petrel_types::{ConversationId, Seq, SessionId};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::registry::Registry;
use crate::sends::UNTRACKED;

/// Fills the outboxes of everybody the batch concerns and wakes them.
pub(crate) fn deliver(registry: &Registry, metrics: &Metrics, batch: CommittedBatch) {
    let mut touched: HashMap<SessionId, Arc<Outbox>> = HashMap::new();
    for effect in batch.effects {
        match effect {
            // A receipt that is in order: nobody waits to hear so.
            Effect::Answer { origin: Origin { tag: UNTRACKED, .. }, frame: None } => {}
            Effect::Answer { origin, frame } => {
                if let Some(outbox) = registry.session(origin.session) {
                    outbox.answer(origin.tag, frame);
                    touched.entry(outbox.session()).or_insert(outbox);
                }
            }
            Effect::Deliver { recipients, except, frame } => {
                let place = place_of(&frame);
                let (mut queued, mut dropped) = (0, 0);
                let mut encoded: Option<Utf8Bytes> = None;
                for user in recipients.iter().copied() {
                    registry.for_each_session(user, |outbox| {
                        if Some(outbox.session()) == except {
                            return;
                        }
                        let bytes = encoded.get_or_insert_with(|| frame.encode(None).into());
                        if outbox.push(bytes, place) {
                            queued += 1;
                        } else {
                            dropped += 1;
                        }
                        touched.entry(outbox.session()).or_insert_with(|| Arc::clone(outbox));
                    });
                }
                if let Some((conversation, seq)) = place {
                    tracing::debug!(%conversation, %seq, sessions = queued, dropped, "pushed");
                }
                metrics.pushes.inc_by(queued);
                if dropped > 0 {
                    metrics.pushes_dropped.inc_by(dropped);
                }
            }
        }
    }
    for outbox in touched.values() {
        outbox.wake();
    }
}

/// The place in a timeline that a device lacks when it misses the frame.
pub(crate) fn place_of(frame: &ServerFrame) -> Option<(ConversationId, Seq)> {
    match frame {
        ServerFrame::SingleChat(push) => Some((push.conversation_id, push.msg_seq)),
        ServerFrame::GroupChat(push) => Some((push.conversation_id, push.msg_seq)),
        ServerFrame::Event(push) => Some((push.conversation_id, push.msg_seq)),
        _ => None,
    }
}
