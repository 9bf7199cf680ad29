//! The world: users with devices, one server that dies and comes back, and fate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use petrel_log::{Command, LoggedCommand, Origin, ReceiptKind, Request};
use petrel_logic::sequencer::{Effect, Rules, Sequencer};
use petrel_logic::sync::Catchup;
use petrel_protocol::frame::{ServerAck, ServerFrame, Sync};
use petrel_store::faulty::{CommitFault, FaultyStore};
use petrel_store::memory::MemoryStore;
use petrel_store::{Store, StoreErrorKind};
use petrel_types::{
    ClientMessageId, Clock, ConversationId, Epoch, LogPosition, ManualClock, NodeId, Partition,
    Seq, SessionId, TimestampMs, UserId,
};

use crate::device::{Device, Held, Unsent};

const USERS: u64 = 5;
const DEVICES_PER_USER: u64 = 2;
const PARTITION: Partition = Partition::new(0);

/// How much of the past a failure prints.
const HISTORY_LINES: usize = 60;

pub(crate) struct World {
    seed: u64,
    random: fastrand::Rng,
    store: Arc<FaultyStore>,
    clock: Arc<ManualClock>,
    sequencer: Sequencer,
    catchup: Catchup,
    next_position: LogPosition,
    pending: Vec<Command>,
    devices: Vec<Device>,
    next_session: u64,
    history: VecDeque<String>,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(Epoch::new(seed.max(1))));
        let store = Arc::new(FaultyStore::new(memory));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(1_800_000_000_000)));
        let (sequencer, next_position) = claim(&store, &clock).await;
        let shared: Arc<dyn Store> = store.clone();
        let mut world = Self {
            seed,
            random: fastrand::Rng::with_seed(seed),
            store,
            clock,
            sequencer,
            catchup: Catchup::new(shared),
            next_position,
            pending: Vec::new(),
            devices: Vec::new(),
            next_session: 0,
            history: VecDeque::new(),
        };
        for device in 0..USERS * DEVICES_PER_USER {
            let session = world.take_session();
            world.devices.push(Device::new(UserId::new(1 + device / DEVICES_PER_USER), session));
        }
        world
    }

    /// One thing happens.
    pub(crate) async fn step(&mut self) {
        let index = self.random.usize(..self.devices.len());
        match self.random.u32(..100) {
            0..30 => self.send(index),
            30..50 => self.commit().await,
            50..70 => self.read_inbox(index).await,
            70..80 => self.acknowledge(index),
            80..86 if self.devices[index].online => self.leave(index),
            80..92 => self.come(index).await,
            92..94 => self.send_again(index),
            94 => self.order_a_fault(),
            95 => self.die().await,
            96 => self.renew(index),
            97 => self.jump(),
            _ => self.compare(index).await,
        }
    }

    /// Everybody comes back, and everything is sent and told.
    pub(crate) async fn settle(&mut self) {
        self.commit().await;
        while self.devices.iter().any(|device| !device.unsent.is_empty()) {
            for index in 0..self.devices.len() {
                self.come(index).await;
                self.send_again(index);
            }
            self.commit().await;
            for index in 0..self.devices.len() {
                self.read_inbox(index).await;
            }
        }
        for index in 0..self.devices.len() {
            self.come(index).await;
            self.devices[index].catch_up(&self.catchup).await;
        }
    }

    /// The truth about the whole world, once it has settled.
    pub(crate) async fn check(&mut self) {
        let mut timelines: BTreeMap<ConversationId, Vec<Held>> = BTreeMap::new();
        for index in 0..self.devices.len() {
            self.compare(index).await;
            for (id, copy) in &self.devices[index].copies {
                let first = timelines.entry(*id).or_insert_with(|| copy.events.clone());
                self.assert(*first == copy.events, "two devices see different timelines");
            }
        }
        for (id, events) in &timelines {
            let page = self.store.events_after(*id, Seq::ZERO, u32::MAX).await.unwrap();
            let seqs = page.events.iter().map(|event| event.seq.get());
            self.assert(seqs.eq(1..=events.len() as u64), "a timeline has a hole");
            let rows = page.events.iter().map(|event| event.row);
            self.assert(rows.eq(events.iter().map(|event| event.row)), "a copy differs");
            let mut names: Vec<_> = events.iter().map(|event| (event.from, &event.name)).collect();
            names.sort();
            names.dedup();
            self.assert(names.len() == events.len(), "a message is stored twice");
        }
        for device in &self.devices {
            for ack in &device.acked {
                let seq = usize::try_from(ack.msg_seq.get()).unwrap();
                let held = timelines.get(&ack.conversation_id).and_then(|it| it.get(seq - 1));
                let stored = held.is_some_and(|held| {
                    held.row == ack.server_msg_id && held.name == ack.client_msg_id.as_str()
                });
                self.assert(stored, "an acked message is lost");
            }
        }
    }

    fn send(&mut self, index: usize) {
        if !self.devices[index].online {
            return;
        }
        let to = loop {
            let to = UserId::new(1 + self.random.u64(..USERS));
            if to != self.devices[index].user {
                break to;
            }
        };
        let unsent = self.devices[index].write(to);
        self.note(format!("device {index} sends {}", unsent.name));
        self.append_send(index, unsent, false);
    }

    fn send_again(&mut self, index: usize) {
        if self.devices[index].online {
            self.note(format!("device {index} sends again what has no ack"));
            for unsent in self.devices[index].unsent.clone() {
                // All are recent, so they are recognised whether or not the device says
                // that it sends again.
                let retry = self.random.bool();
                self.append_send(index, unsent, retry);
            }
        }
    }

    fn append_send(&mut self, index: usize, unsent: Unsent, retry: bool) {
        let request = Request::SendSingle {
            to: unsent.to,
            client_message_id: ClientMessageId::new(unsent.name).unwrap(),
            body: unsent.body,
            retry,
        };
        self.append(index, request);
    }

    /// A device says how far it has come in some conversation.
    fn acknowledge(&mut self, index: usize) {
        let device = &mut self.devices[index];
        if !device.online || device.copies.is_empty() {
            return;
        }
        let choice = self.random.usize(..device.copies.len());
        let (id, copy) = device.copies.iter().nth(choice).expect("chosen among them");
        let seq = copy.position();
        if seq == 0 {
            return;
        }
        let conversation = *id;
        let kind = if self.random.bool() { ReceiptKind::Read } else { ReceiptKind::Delivered };
        let read = if kind == ReceiptKind::Read { seq } else { 0 };
        device.claims.push_back((conversation, (seq, read)));
        self.note(format!("device {index} has {kind:?} {seq} of {conversation}"));
        self.append(index, Request::AdvanceCursor { conversation, kind, seq: Seq::new(seq) });
    }

    fn append(&mut self, index: usize, request: Request) {
        let device = &self.devices[index];
        let origin = Origin { node: NodeId::new(1), session: device.session, tag: 1 };
        self.pending.push(Command { origin, actor: device.user, request });
    }

    async fn commit(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut commands = Vec::new();
        for command in self.pending.drain(..) {
            let position = self.next_position;
            self.next_position = position.next();
            commands.push(LoggedCommand { position, partition: PARTITION, command });
        }
        let many = commands.len();
        match self.sequencer.decide(commands).await {
            Ok(committed) => {
                self.note(format!("{many} commands decided"));
                self.tell(committed.effects);
            }
            Err(error) => {
                self.assert(error.kind() == StoreErrorKind::Fatal, "the server died of something");
                self.note("the disk failed".to_owned());
                self.restart().await;
            }
        }
    }

    /// Brings effects to the devices; some pushes are lost on the way.
    fn tell(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer { origin, frame } => {
                    let is_about_a_receipt = match &frame {
                        None => true,
                        Some(ServerFrame::Error(error)) => error.client_msg_id.is_none(),
                        Some(_) => false,
                    };
                    let origin = |device: &Device| device.session == origin.session;
                    if is_about_a_receipt {
                        // The wire stays silent when all is well; the device reckons so.
                        let device = self.devices.iter_mut().find(|it| it.online && origin(it));
                        device.into_iter().for_each(|it| it.settle_claim(frame.is_none()));
                    } else if let Some(frame) = frame {
                        self.deliver(origin, &frame, true);
                    }
                }
                Effect::Deliver { recipients, except, frame } => {
                    let concerns = |device: &Device| {
                        recipients.contains(&device.user) && Some(device.session) != except
                    };
                    self.deliver(concerns, &frame, false);
                }
            }
        }
    }

    fn deliver(&mut self, concerns: impl Fn(&Device) -> bool, frame: &ServerFrame, sure: bool) {
        for device in self.devices.iter_mut().filter(|device| device.online && concerns(device)) {
            let storable = matches!(frame, ServerFrame::SingleChat(_))
                || matches!(frame, ServerFrame::Ack(ServerAck::Receipt(_)));
            if !sure && storable && self.random.u32(..20) == 0 {
                device.missed = true;
            } else {
                device.inbox.push(frame.clone());
            }
        }
    }

    async fn read_inbox(&mut self, index: usize) {
        if self.devices[index].online {
            self.devices[index].read_inbox(&self.catchup).await;
        }
    }

    fn leave(&mut self, index: usize) {
        self.note(format!("device {index} leaves"));
        self.devices[index].lose_connection();
    }

    /// A device connects: a new session, registered before it syncs.
    async fn come(&mut self, index: usize) {
        if self.devices[index].online {
            return;
        }
        self.note(format!("device {index} comes back"));
        let session = self.take_session();
        let device = &mut self.devices[index];
        device.session = session;
        device.online = true;
        device.catch_up(&self.catchup).await;
    }

    /// The device's data is wiped; it is a new device of the same user.
    fn renew(&mut self, index: usize) {
        if !self.devices[index].online {
            self.note(format!("device {index} is wiped"));
            self.devices[index].forget();
        }
    }

    fn order_a_fault(&mut self) {
        let fault = match self.random.u32(..4) {
            0 => CommitFault::Refused(StoreErrorKind::Full),
            1 => CommitFault::Refused(StoreErrorKind::Unavailable),
            2 => CommitFault::StoredButFatal,
            _ => CommitFault::LostAndFatal,
        };
        self.note(format!("the next commit: {fault:?}"));
        self.store.fail_next_commit(fault);
    }

    /// The process dies; half the time after a commit whose answers nobody gets.
    async fn die(&mut self) {
        self.note("the process dies".to_owned());
        if self.random.bool() && !self.pending.is_empty() {
            let tell_nobody: Vec<_> = self.devices.iter().map(|device| device.online).collect();
            self.devices.iter_mut().for_each(|device| device.online = false);
            self.commit().await;
            for (device, online) in self.devices.iter_mut().zip(tell_nobody) {
                device.online = online;
            }
        }
        self.restart().await;
    }

    async fn restart(&mut self) {
        self.pending.clear();
        self.devices.iter_mut().for_each(Device::lose_connection);
        (self.sequencer, self.next_position) = claim(&self.store, &self.clock).await;
    }

    fn jump(&mut self) {
        self.clock.advance(Duration::from_millis(self.random.u64(..10_000)));
    }

    /// *State fetched = old state + events*: a device that has looked at everything knows
    /// what a new device would be told.
    async fn compare(&mut self, index: usize) {
        if !self.devices[index].online || !self.pending.is_empty() {
            return;
        }
        self.read_inbox(index).await;
        if self.devices[index].missed {
            self.devices[index].catch_up(&self.catchup).await;
        }
        let device = &self.devices[index];
        let fetch = Sync { token: None, limit: Some(200) };
        let state = self.catchup.sync(device.user, &fetch).await.unwrap();
        self.assert(state.conversations.len() == device.copies.len(), "a conversation is unknown");
        for told in &state.conversations {
            let copy = &device.copies[&told.conversation_id];
            let cursors = |user| copy.cursors.get(&user).copied().unwrap_or_default();
            // How far one's own other devices have received is told to nobody.
            let known = (copy.position(), cursors(device.user).1, cursors(told.peer));
            let fetched = (
                told.head_seq.get(),
                told.read_seq.get(),
                (told.peer_delivered_seq.get(), told.peer_read_seq.get()),
            );
            let story = format!(
                "device {index} knows {known:?} of {}, a new one is told {fetched:?}",
                told.conversation_id
            );
            self.assert(known == fetched, &story);
            // All events are messages, so what is unread can be counted.
            let unread = copy.position() - cursors(device.user).1;
            self.assert(told.unread == unread, "unread differs");
        }
    }

    fn take_session(&mut self) -> SessionId {
        self.next_session += 1;
        SessionId::new(self.next_session)
    }

    fn note(&mut self, line: String) {
        if self.history.len() == HISTORY_LINES {
            self.history.pop_front();
        }
        self.history.push_back(line);
    }

    fn assert(&self, holds: bool, what: &str) {
        if !holds {
            let history: Vec<_> = self.history.iter().map(String::as_str).collect();
            panic!("seed {}: {what}\nbefore:\n  {}", self.seed, history.join("\n  "));
        }
    }
}

async fn claim(store: &Arc<FaultyStore>, clock: &Arc<ManualClock>) -> (Sequencer, LogPosition) {
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (store.clone(), clock.clone());
    let rules = Rules { external_users: true };
    Sequencer::claim(store, clock, rules, PARTITION).await.unwrap()
}
