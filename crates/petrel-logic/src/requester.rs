//! Asking the sequencer and waiting for its answer: for those who have no session to be
//! told in, such as HTTP requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use petrel_log::{AppendError, Command, CommandLog, Origin, Request, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{DoneAck, Error as ErrorFrame, SavedAck, ServerAck, ServerFrame};
use petrel_types::{NodeId, UserId};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::Refusal;
use crate::sequencer::{CommittedBatch, Effect};
use crate::words::WordFilter;

/// How many requests may wait at once. Beyond, those who ask are told that the server is busy.
const WAITING_MAX: usize = 4096;

/// How long a request may wait before its outcome is called unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Asks the sequencer and waits for what it says.
pub struct Requester {
    log: Arc<dyn CommandLog>,
    node: NodeId,
    words: Arc<WordFilter>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last_tag: u64,
    answers: HashMap<u64, oneshot::Sender<Option<ServerFrame>>>,
}

/// A request under way; it is forgotten when this is dropped.
struct UnderWay<'a> {
    requester: &'a Requester,
    tag: u64,
    answer: oneshot::Receiver<Option<ServerFrame>>,
}

impl Requester {
    /// One whose requests go into `log`. Their answers are recognised by [`Origin::REQUESTER`].
    pub fn new(log: Arc<dyn CommandLog>, node: NodeId) -> Self {
        Self { log, node, words: WordFilter::none(), waiting: Mutex::default() }
    }

    /// Looks for words in what is sent.
    #[must_use]
    pub fn with_words(self, words: Arc<WordFilter>) -> Self {
        Self { words, ..self }
    }

    /// Sends, and waits until it is on disk or refused.
    ///
    /// A refusal with the reason `timeout` leaves the outcome open. Dropping the future
    /// does not take the command back.
    pub async fn send(&self, actor: UserId, send: SendRequest) -> Result<SavedAck, Refusal> {
        match self.ask(actor, Request::Send(send)).await? {
            Some(ServerFrame::Ack(ServerAck::Saved(ack))) => Ok(ack),
            Some(ServerFrame::Error(error)) => Err(refusal_of(error)),
            other => {
                tracing::error!(?other, "a send was answered with neither ack nor error");
                Err(Refusal::new(ErrorReason::InternalError, "the server failed to answer"))
            }
        }
    }

    /// Changes something that has no place to be told, and waits until it is on disk or
    /// refused; otherwise as [`send`](Self::send).
    pub async fn change(&self, actor: UserId, send: SendRequest) -> Result<DoneAck, Refusal> {
        match self.ask(actor, Request::Send(send)).await? {
            Some(ServerFrame::Ack(ServerAck::Done(ack))) => Ok(ack),
            Some(ServerFrame::Error(error)) => Err(refusal_of(error)),
            other => {
                tracing::error!(?other, "a change was answered with neither ack nor error");
                Err(Refusal::new(ErrorReason::InternalError, "the server failed to answer"))
            }
        }
    }

    /// As [`send`](Self::send), for what may have no place to be told; then `None`.
    pub async fn send_or_wait(
        &self,
        actor: UserId,
        send: SendRequest,
    ) -> Result<Option<SavedAck>, Refusal> {
        match self.ask(actor, Request::Send(send)).await? {
            Some(ServerFrame::Ack(ServerAck::Saved(ack))) => Ok(Some(ack)),
            Some(ServerFrame::Ack(ServerAck::Done(_))) => Ok(None),
            Some(ServerFrame::Error(error)) => Err(refusal_of(error)),
            other => {
                tracing::error!(?other, "a request was answered with neither ack nor error");
                Err(Refusal::new(ErrorReason::InternalError, "the server failed to answer"))
            }
        }
    }

    /// Asks for something that has no answer but a refusal, and waits for it.
    pub async fn tell(&self, actor: UserId, request: Request) -> Result<(), Refusal> {
        match self.ask(actor, request).await? {
            Some(ServerFrame::Error(error)) => Err(refusal_of(error)),
            _ => Ok(()),
        }
    }

    /// Takes the answers to its requests out of a batch.
    pub fn take_answers(&self, batch: &mut CommittedBatch) {
        let mut waiting = self.waiting();
        if waiting.answers.is_empty() {
            return;
        }
        let is_ours = |effect: &mut Effect| match effect {
            Effect::Answer { origin, .. } => origin.session == Origin::REQUESTER,
            Effect::Deliver { .. } => false,
        };
        for effect in batch.effects.extract_if(.., is_ours) {
            if let Effect::Answer { origin, frame } = effect
                && let Some(asker) = waiting.answers.remove(&origin.tag)
            {
                // Who has given up in this moment misses nothing.
                let _ = asker.send(frame);
            }
        }
    }

    async fn ask(
        &self,
        actor: UserId,
        mut request: Request,
    ) -> Result<Option<ServerFrame>, Refusal> {
        let words_replaced = match &mut request {
            Request::Send(send) => self.words.check(actor, send)?,
            _ => false,
        };
        let mut under_way = self.begin()?;
        let origin = Origin { node: self.node, session: Origin::REQUESTER, tag: under_way.tag };
        tracing::debug!(request = %origin, %actor, "asked");
        self.log.append(Command { origin, actor, request }).map_err(|error| {
            let message = match error {
                AppendError::Full => "the server is busy; nothing was stored, send it again",
                AppendError::Closed => "the server is going down; send it again elsewhere",
            };
            Refusal::new(ErrorReason::ServerBusy, message)
        })?;
        match timeout(ANSWER_TIMEOUT, &mut under_way.answer).await {
            Ok(Ok(mut answer)) => {
                if let Some(ServerFrame::Ack(ServerAck::Saved(ack))) = &mut answer {
                    ack.words_replaced = words_replaced;
                }
                Ok(answer)
            }
            Ok(Err(_)) | Err(_) => Err(Refusal::new(
                ErrorReason::Timeout,
                "no answer in time; send the same again with `retry: true` to learn what became \
                 of it",
            )),
        }
    }

    fn begin(&self) -> Result<UnderWay<'_>, Refusal> {
        let mut waiting = self.waiting();
        if waiting.answers.len() >= WAITING_MAX {
            return Err(Refusal::new(
                ErrorReason::ServerBusy,
                "the server is busy; nothing was stored, send it again",
            ));
        }
        waiting.last_tag += 1;
        let tag = waiting.last_tag;
        let (asker, answer) = oneshot::channel();
        waiting.answers.insert(tag, asker);
        Ok(UnderWay { requester: self, tag, answer })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.requester.waiting().answers.remove(&self.tag);
    }
}

fn refusal_of(error: ErrorFrame) -> Refusal {
    Refusal { reason: error.reason, message: error.message, retry_after_ms: error.retry_after_ms }
}

#[cfg(test)]
mod tests {
    use petrel_log::{Content, Destination, InProcessLog};
    use petrel_types::{ClientMessageId, LogPosition, SessionId};

    use super::*;

    fn send() -> SendRequest {
        SendRequest {
            to: Destination::User(UserId::new(2)),
            client_message_id: ClientMessageId::new("m").unwrap(),
            content: Content::Text("hello".to_owned()),
            retry: false,
            first_sent: None,
        }
    }

    fn refused(origin: Origin) -> Effect {
        let error = ErrorFrame::new(ErrorReason::UserNotFound, "nobody");
        Effect::Answer { origin, frame: Some(ServerFrame::Error(error)) }
    }

    #[tokio::test]
    async fn an_answer_finds_who_asked_and_leaves_the_others_alone() {
        let (log, mut streams) = InProcessLog::new(&[LogPosition::default()], 10);
        let requester = Requester::new(Arc::new(log), NodeId::new(1));
        let other = Origin { node: NodeId::new(1), session: SessionId::new(8), tag: 1 };
        let sequencer = async {
            let origin = streams[0].next_commands(1).await.remove(0).command.origin;
            let effects = vec![refused(other), refused(origin)];
            let mut batch = CommittedBatch { effects, ..CommittedBatch::default() };
            requester.take_answers(&mut batch);
            assert_eq!(batch.effects, [refused(other)]);
        };
        let (answer, ()) = tokio::join!(requester.send(UserId::new(1), send()), sequencer);
        assert_eq!(answer.unwrap_err().reason, ErrorReason::UserNotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_ends_and_is_forgotten() {
        let (log, _streams) = InProcessLog::new(&[LogPosition::default()], 10);
        let requester = Requester::new(Arc::new(log), NodeId::new(1));
        let refusal = requester.send(UserId::new(1), send()).await.unwrap_err();
        assert_eq!(refusal.reason, ErrorReason::Timeout);
        assert!(requester.waiting().answers.is_empty());
    }
}
