//! Calls and blocks that are stored: whoever is blocked calls nobody, not even in the moment
//! of the block, and a call across a block ends as soon as the store can tell of it.

use petrel_log::{Command, Content, Destination, LoggedCommand, Origin, Request, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{CallEnd, ContactAction};
use petrel_store::faulty::{FaultyStore, Hold, RelationsFault};
use petrel_store::memory::MemoryStore;
use petrel_store::{Store, StoreErrorKind};
use petrel_types::{Epoch, LogPosition, ManualClock, NodeId, Partition, TimestampMs};

use super::super::Audience;
use super::exchange::{Heard, exchange_over, frame};
use super::*;
use crate::sequencer::{Rules, Sequencer};

/// A store that fails when it is told to, and the sequencer that writes to it.
struct Blocks {
    store: Arc<FaultyStore>,
    sequencer: Sequencer,
    next_position: LogPosition,
}

impl Blocks {
    async fn new() -> Self {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new(Epoch::new(1)))));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(1_800_000_000_000)));
        let rules = Rules { external_users: true, ..Rules::default() };
        let claim = Sequencer::claim(store.clone(), clock, rules, Partition::new(0));
        let (sequencer, next_position) = claim.await.unwrap();
        Self { store, sequencer, next_position }
    }

    fn shared(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// One user blocks another, and the exchange hears of it before anybody else does.
    async fn block(&mut self, one: u64, other: u64, exchange: &crate::call::Exchange) {
        let send = SendRequest {
            to: Destination::Pair(UserId::new(other)),
            client_message_id: name(&format!("block {other}")),
            content: Content::Contact { action: ContactAction::Block, text: None },
            retry: false,
            first_sent: None,
        };
        let origin = Origin { node: NodeId::new(1), session: SessionId::new(one), tag: 1 };
        let command = Command { origin, actor: UserId::new(one), request: Request::Send(send) };
        let (position, partition) = (self.next_position, Partition::new(0));
        self.next_position = position.next();
        let logged = LoggedCommand { position, partition, command };
        let committed = self.sequencer.decide(vec![logged]).await.unwrap();
        assert_eq!(committed.affected.pairs.len(), 1);
        exchange.affected(&committed.affected);
    }
}

#[tokio::test]
async fn nobody_calls_across_a_block() {
    let mut blocks = Blocks::new().await;
    let (exchange, _requester, _streams) = exchange_over(blocks.shared());
    blocks.block(2, 1, &exchange).await;
    let heard = Heard::default();
    let refused = exchange.offer(party(1, 10), frame("c", 2), &heard).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::NotReachable);
    let refused = exchange.offer(party(2, 20), frame("d", 1), &heard).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::BlockedByYou);
    assert_eq!(heard.frames(), 0);
}

/// What the store has said is of the past when the block is acknowledged in between.
#[tokio::test]
async fn whoever_is_blocked_while_a_call_begins_rings_nobody() {
    let mut blocks = Blocks::new().await;
    let (exchange, _requester, _streams) = exchange_over(blocks.shared());
    let (heard, hold) = (Heard::default(), Hold::default());
    blocks.store.fail_next_relations(RelationsFault::Held(hold.clone()));
    let blocked = async {
        hold.asked().await;
        blocks.block(2, 1, &exchange).await;
        hold.release();
    };
    let (begun, ()) = tokio::join!(exchange.offer(party(1, 10), frame("c", 2), &heard), blocked);
    assert_eq!(begun.unwrap_err().reason, ErrorReason::NotReachable);
    assert_eq!(heard.frames(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_across_a_block_ends_though_the_store_could_not_tell_at_once() {
    let mut blocks = Blocks::new().await;
    let (exchange, _requester, _streams) = exchange_over(blocks.shared());
    let heard = Heard::default();
    exchange.offer(party(1, 10), frame("c", 2), &heard).await.unwrap();
    let rung = heard.frames();
    blocks.store.fail_next_relations(RelationsFault::Refused(StoreErrorKind::Unavailable));
    blocks.block(2, 1, &exchange).await;
    let ended = async {
        // Long before it has rung for too long.
        tokio::time::sleep(super::super::RING_TIME / 2).await;
    };
    tokio::select! {
        () = exchange.run(&heard) => {}
        () = ended => {}
    }
    let (caller, callee) = (Audience::Here(party(1, 10)), Audience::Everywhere(UserId::new(2)));
    assert_eq!(heard.ends(), [(caller, CallEnd::Rejected), (callee, CallEnd::Rejected)]);
    assert_eq!(heard.frames(), rung + 2);
}
