//! From committed batches to outboxes.
//!
//! Runs on its own task, never on the sequencer's thread. A frame is encoded once and
//! its bytes are shared by all receivers; each touched session is woken once, after
//! the whole batch, so that it writes once.
//!
//! What goes to many is taken in steps ([`STEP_USERS`]), and between two steps the next
//! batch is looked at: a message to ten thousand does not keep two others waiting. What
//! follows in the same conversation queues behind it ([`backlog`]), acks included, so that
//! nobody ever sees a conversation's numbers jump.

mod backlog;

use std::collections::HashMap;
use std::sync::Arc;

use petrel_log::Origin;
use petrel_logic::sequencer::{CommittedBatch, Effect};
use petrel_protocol::frame::{ServerAck, ServerFrame};
use petrel_types::{ConversationId, Seq, SessionId, UserId};

use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::registry::Registry;
use crate::sends::UNTRACKED;
use crate::session::Text;
use backlog::Backlog;

/// How many users are served in one step. At about half a microsecond each a step is a
/// quarter of a millisecond, and as many sessions are then ready to write.
const STEP_USERS: usize = 512;

/// Fills outboxes from batches, in the order of their commits.
pub(crate) struct Fanout<'a> {
    registry: &'a Registry,
    metrics: &'a Metrics,
    /// From as many recipients on, devices may get heads instead of bodies. 0 is never.
    head_members: usize,
    backlog: Backlog,
    /// Who has something new in this step. Kept for its memory.
    touched: HashMap<SessionId, Arc<Outbox>>,
}

/// A frame on its way to some users.
pub(crate) struct Delivery {
    recipients: Arc<[UserId]>,
    /// How many of them have it.
    served: usize,
    except: Option<SessionId>,
    frame: ServerFrame,
    /// Made when the first receiver is found.
    encoded: Option<Text>,
    /// Its place, if devices may get the head instead.
    head: Option<(ConversationId, Seq)>,
}

/// What waits in a backlog.
pub(crate) enum Work {
    Answer { origin: Origin, frame: Box<ServerFrame> },
    Deliver(Box<Delivery>),
}

impl<'a> Fanout<'a> {
    pub(crate) fn new(registry: &'a Registry, metrics: &'a Metrics, head_members: usize) -> Self {
        Self {
            registry,
            metrics,
            head_members,
            backlog: Backlog::default(),
            touched: HashMap::new(),
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Whether another batch may be taken. If not, the sequencer waits.
    pub(crate) fn has_room(&self) -> bool {
        self.backlog.has_room()
    }

    /// How many frames wait for their turn.
    pub(crate) fn waiting(&self) -> u64 {
        self.backlog.frames()
    }

    /// Tells everybody what a batch has to say, but for what takes its turn in steps.
    pub(crate) fn take(&mut self, batch: CommittedBatch) {
        for effect in batch.effects {
            match effect {
                // A receipt that is in order: nobody waits to hear so.
                Effect::Answer { origin: Origin { tag: UNTRACKED, .. }, frame: None } => {}
                Effect::Answer { origin, frame } => self.answer(origin, frame),
                Effect::Deliver { recipients, except, frame } => {
                    self.deliver(recipients, except, frame);
                }
            }
        }
        self.wake();
    }

    /// One step of what waits.
    pub(crate) fn advance(&mut self) {
        let mut left = STEP_USERS;
        let Some(mut turn) = self.backlog.next_turn() else { return };
        while left > 0
            && let Some(work) = turn.works.front_mut()
        {
            match work {
                Work::Answer { origin, frame } => {
                    let frame = std::mem::replace(&mut **frame, NOTHING);
                    self.tell(*origin, Some(frame));
                    left -= 1;
                }
                Work::Deliver(delivery) => {
                    let before = delivery.served;
                    let is_done =
                        delivery.step(left, self.registry, self.metrics, &mut self.touched);
                    left -= (delivery.served - before).min(left);
                    if !is_done {
                        break;
                    }
                }
            }
            turn.works.pop_front();
        }
        self.backlog.end_turn(turn);
        self.wake();
    }

    fn answer(&mut self, origin: Origin, frame: Option<ServerFrame>) {
        let conversation = frame.as_ref().and_then(conversation_of);
        match (frame, conversation.filter(|it| self.backlog.contains(*it))) {
            (Some(frame), Some(conversation)) => {
                self.backlog.push(conversation, Work::Answer { origin, frame: Box::new(frame) });
            }
            (frame, _) => self.tell(origin, frame),
        }
    }

    fn tell(&mut self, origin: Origin, frame: Option<ServerFrame>) {
        if let Some(outbox) = self.registry.session(origin.session) {
            outbox.answer(origin.tag, frame);
            self.touched.entry(outbox.session()).or_insert(outbox);
        }
    }

    fn deliver(
        &mut self,
        recipients: Arc<[UserId]>,
        except: Option<SessionId>,
        frame: ServerFrame,
    ) {
        let is_very_large = self.head_members > 0 && recipients.len() >= self.head_members;
        let is_large = recipients.len() > STEP_USERS;
        let conversation = conversation_of(&frame);
        let head = place_of(&frame).filter(|_| is_very_large);
        let mut delivery = Delivery { recipients, served: 0, except, frame, encoded: None, head };
        match conversation {
            Some(conversation) if is_large || self.backlog.contains(conversation) => {
                self.backlog.push(conversation, Work::Deliver(Box::new(delivery)));
            }
            _ => {
                delivery.step(usize::MAX, self.registry, self.metrics, &mut self.touched);
            }
        }
    }

    fn wake(&mut self) {
        for (_, outbox) in self.touched.drain() {
            outbox.wake();
        }
    }
}

impl Delivery {
    /// Serves up to `users` more users. True when all are served.
    fn step(
        &mut self,
        users: usize,
        registry: &Registry,
        metrics: &Metrics,
        touched: &mut HashMap<SessionId, Arc<Outbox>>,
    ) -> bool {
        let place = place_of(&self.frame);
        let (mut queued, mut dropped) = (0, 0);
        let end = self.served.saturating_add(users).min(self.recipients.len());
        for user in self.recipients[self.served..end].iter().copied() {
            registry.for_each_session(user, |outbox| {
                if Some(outbox.session()) == self.except {
                    return;
                }
                if let Some((conversation, seq)) = self.head
                    && let Some(is_news) = outbox.note_head(conversation, seq)
                {
                    if !is_news {
                        return;
                    }
                } else {
                    let bytes = self.encoded.get_or_insert_with(|| self.frame.encode(None).into());
                    if outbox.push(bytes, place) {
                        queued += 1;
                    } else {
                        dropped += 1;
                    }
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
        self.served = end;
        end == self.recipients.len()
    }

    fn waiting(&self) -> usize {
        self.recipients.len() - self.served
    }
}

impl Work {
    /// How many users it still goes to.
    fn waiting(&self) -> usize {
        match self {
            Self::Answer { .. } => 1,
            Self::Deliver(delivery) => delivery.waiting(),
        }
    }
}

/// In the place of a frame that was moved out.
const NOTHING: ServerFrame =
    ServerFrame::Focused(petrel_protocol::frame::Focused { heads: Vec::new() });

/// The place in a timeline that a device lacks when it misses the frame.
pub(crate) fn place_of(frame: &ServerFrame) -> Option<(ConversationId, Seq)> {
    match frame {
        ServerFrame::SingleChat(push) => Some((push.conversation_id, push.msg_seq)),
        ServerFrame::GroupChat(push) => Some((push.conversation_id, push.msg_seq)),
        ServerFrame::Event(push) => Some((push.conversation_id, push.msg_seq)),
        _ => None,
    }
}

/// The conversation in whose order the frame has a place.
fn conversation_of(frame: &ServerFrame) -> Option<ConversationId> {
    match frame {
        ServerFrame::Ack(ServerAck::Saved(ack)) => Some(ack.conversation_id),
        ServerFrame::Ack(ServerAck::Receipt(ack)) => Some(ack.conversation_id),
        frame => place_of(frame).map(|(conversation, _)| conversation),
    }
}

#[cfg(test)]
mod tests;
