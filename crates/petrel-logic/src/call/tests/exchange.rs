//! Calls around the switchboard: time, blocks, and records that are sent until they are
//! stored.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use petrel_log::{Command, Content, InProcessLog, LoggedCommand, Request};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    CallEnd, CallMedia, CallOffer, CallOutcome, CallPhase, Durability, Error as ErrorFrame,
    SavedAck, SavedTag, ServerAck, ServerFrame,
};
use petrel_store::memory::MemoryStore;
use petrel_types::{ConversationId, Epoch, LogPosition, NodeId, RowId, Seq, TimestampMs};

use super::super::{Audience, Exchange, Metrics, Ringing};
use super::*;
use crate::requester::Requester;
use crate::sequencer::{CommittedBatch, Effect, Rules};

#[derive(Default)]
pub(super) struct Heard(Mutex<Vec<(Audience, ServerFrame)>>);

impl Ringing for Heard {
    fn ring(&self, to: Audience, frame: &ServerFrame) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((to, frame.clone()));
    }
}

impl Heard {
    /// How many frames there were.
    pub(super) fn frames(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Why calls ended, for whom.
    pub(super) fn ends(&self) -> Vec<(Audience, CallEnd)> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = |(to, frame): &(Audience, ServerFrame)| match frame {
            ServerFrame::CallState(state) => state.reason.map(|reason| (*to, reason)),
            _ => None,
        };
        heard.iter().filter_map(end).collect()
    }
}

pub(super) fn frame(call: &str, to: u64) -> CallOffer {
    let (call_id, to) = (name(call), UserId::new(to));
    let sdp = "v=0".to_owned();
    CallOffer { call_id, to, media: CallMedia::Audio, sdp, resumes: None }
}

pub(super) fn exchange() -> (Exchange, Arc<Requester>, Vec<Box<dyn petrel_log::CommandStream>>) {
    exchange_over(Arc::new(MemoryStore::new(Epoch::new(1))))
}

pub(super) fn exchange_over(
    store: Arc<dyn petrel_store::Store>,
) -> (Exchange, Arc<Requester>, Vec<Box<dyn petrel_log::CommandStream>>) {
    let (log, streams) = InProcessLog::new(&[LogPosition::default()], 100);
    let requester = Arc::new(Requester::new(Arc::new(log), NodeId::new(1)));
    let rules = Rules { external_users: true, ..Rules::default() };
    let exchange = Exchange::new(store, Arc::clone(&requester), rules, Metrics::default());
    (exchange, requester, streams)
}

/// What a sequencer says to a command.
pub(super) fn tell(requester: &Requester, command: &Command, frame: ServerFrame) {
    let effects = vec![Effect::Answer { origin: command.origin, frame: Some(frame) }];
    requester.take_answers(&mut CommittedBatch { effects, ..CommittedBatch::default() });
}

pub(super) fn saved() -> ServerFrame {
    ServerFrame::Ack(ServerAck::Saved(SavedAck {
        ack_type: SavedTag::Saved,
        client_msg_id: name("c"),
        server_msg_id: RowId::new(1),
        conversation_id: ConversationId::new(1),
        msg_seq: Seq::new(1),
        durability: Durability::Fsync,
        ts: TimestampMs::new(1),
        duplicate: false,
        body_differs: false,
        words_replaced: false,
    }))
}

/// Who sends the record, under which name, and how the call ended.
fn record_in(commands: &[LoggedCommand]) -> (UserId, ClientMessageId, CallOutcome) {
    let [logged] = commands else { panic!("{commands:?}") };
    match &logged.command.request {
        Request::Send(send) => match &send.content {
            Content::Call(record) => {
                assert!(send.retry);
                assert_ne!(send.client_message_id, record.call_id, "a caller knows the name");
                (logged.command.actor, send.client_message_id.clone(), record.outcome)
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn it_rings_for_half_a_minute_and_the_record_is_sent_until_it_is_stored() {
    let (exchange, requester, mut streams) = exchange();
    let heard = Heard::default();
    let state = exchange.offer(party(1, 10), frame("c", 2), &heard).await.unwrap();
    assert_eq!(state.state, CallPhase::Ringing);
    let sequencer = async {
        let begin = tokio::time::Instant::now();
        let first = streams[0].next_commands(10).await;
        assert_eq!(begin.elapsed().as_secs(), super::super::RING_TIME.as_secs());
        let (caller, _, outcome) = record_in(&first);
        assert_eq!((caller, outcome), (UserId::new(1), CallOutcome::Missed));
        let busy = ErrorFrame::new(ErrorReason::StorageFull, "full");
        tell(&requester, &first[0].command, ServerFrame::Error(busy));
        let again = streams[0].next_commands(10).await;
        assert_eq!(record_in(&again), record_in(&first));
        tell(&requester, &again[0].command, saved());
        exchange.finish().await;
        // Nothing comes a third time.
        let more = tokio::time::timeout(Duration::from_secs(60), streams[0].next_commands(10));
        assert!(more.await.is_err());
    };
    tokio::select! {
        () = exchange.run(&heard) => {}
        () = exchange.record() => {}
        () = sequencer => {}
    }
    let (caller, callee) = (Audience::Here(party(1, 10)), Audience::Everywhere(UserId::new(2)));
    assert_eq!(heard.ends(), [(caller, CallEnd::NoAnswer), (callee, CallEnd::NoAnswer)]);
}

#[tokio::test]
async fn offers_are_bounded_for_each_user() {
    let (exchange, _requester, _streams) = exchange();
    let heard = Heard::default();
    let mut begun = 0;
    let refused = loop {
        let call = format!("c{begun}");
        match exchange.offer(party(1, 10), frame(&call, 2), &heard).await {
            Ok(_) => exchange.hang_up(party(1, 10), name(&call), &heard).unwrap(),
            Err(refusal) => break refusal,
        };
        begun += 1;
    };
    assert_eq!((begun, refused.reason), (10, ErrorReason::TooManyRequests));
    assert!(refused.retry_after_ms.is_some_and(|ms| (1..=6_000).contains(&ms)), "{refused:?}");
    assert!(exchange.offer(party(3, 30), frame("other", 2), &heard).await.is_ok());
}

#[tokio::test]
async fn after_the_end_of_the_node_nobody_is_rung() {
    let (exchange, _requester, _streams) = exchange();
    let heard = Heard::default();
    exchange.offer(party(1, 10), frame("c", 2), &heard).await.unwrap();
    exchange.stop(&heard);
    assert!(heard.ends().iter().all(|(_, reason)| *reason == CallEnd::ServerStopped));
    let refused = exchange.offer(party(3, 30), frame("d", 4), &heard).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::ServerBusy);
}
