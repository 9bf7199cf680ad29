//! The owner of a group, who changes it all the time and knows what has become of it.
//!
//! One change is under way at a time, and is sent again under its name until it is
//! acknowledged, so that the acks say who must be in the group. Every change is one that
//! is allowed: a refusal is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use petrel_protocol::frame::{Change, ClientFrame, Role, SavedAck, ServerAck, ServerFrame};
use petrel_testkit::checker::group::{Asked, apply};
use petrel_testkit::checker::{Event, Message, Said, target_of};
use petrel_testkit::client::Client;
use petrel_types::{ConversationId, Seq, UserId};

use super::orders::Order;
use super::random::Random;
use super::{Phase, Run, World};

/// How many messages of the past are still changed.
const MESSAGES_REMEMBERED: usize = 50;

pub(super) struct Steward {
    pub(super) world: Arc<World>,
    pub(super) user: UserId,
    pub(super) random: Random,
    pub(super) group: Option<ConversationId>,
    /// Who is in the group, by what was acknowledged,
    pub(super) members: BTreeMap<UserId, Role>,
    /// and from which event on.
    pub(super) joined: BTreeMap<UserId, Seq>,
    /// Messages that can be changed.
    pub(super) messages: Vec<Known>,
    pub(super) pins: Vec<Seq>,
    under_way: Option<Order>,
    pub(super) next_name: u64,
    pub(super) ruled: Ruled,
}

/// A message as it is by what was acknowledged.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) seq: Seq,
    pub(super) from: UserId,
    pub(super) message: Message,
}

/// What a steward did and saw.
#[derive(Default)]
pub(super) struct Ruled {
    pub(super) group: Option<ConversationId>,
    pub(super) owner: UserId,
    pub(super) members: BTreeMap<UserId, Role>,
    pub(super) asked: Vec<(UserId, String, Asked)>,
    pub(super) acks: Vec<(UserId, SavedAck)>,
    /// Files that were uploaded, and what is in them.
    pub(super) files: Vec<(String, String)>,
    /// Of each connection.
    pub(super) pushes: Vec<Vec<(UserId, Event)>>,
}

impl Steward {
    pub(super) fn new(world: Arc<World>, user: UserId, seed: u64) -> Self {
        Self {
            world,
            user,
            random: Random::new(seed ^ user.get()),
            group: None,
            members: BTreeMap::new(),
            joined: BTreeMap::new(),
            messages: Vec::new(),
            pins: Vec::new(),
            under_way: None,
            next_name: 0,
            ruled: Ruled { owner: user, ..Ruled::default() },
        }
    }

    /// Rules over one connection after another until told to finish.
    pub(super) async fn rule(mut self) -> Result<Ruled> {
        let mut last = None;
        loop {
            let run = self.world.run_after(last).await?;
            last = Some(run.number);
            match self.rule_during(run).await {
                Ok(()) => {
                    self.ruled.group = self.group;
                    self.ruled.members = self.members;
                    return Ok(self.ruled);
                }
                Err(error) if self.world.was_killed(run, &error) => {}
                Err(error) => {
                    return Err(error.context(format!("steward {} in {run:?}", self.user)));
                }
            }
        }
    }

    async fn rule_during(&mut self, run: Run) -> Result<()> {
        let world = Arc::clone(&self.world);
        let mut client = world.connect(run, self.user, "steward").await?;
        self.ruled.pushes.push(Vec::new());
        let own = self.ruled.pushes.len() - 1;
        if let Some(order) = &mut self.under_way {
            order.is_retry = true;
        }
        loop {
            let goes_on = matches!(self.world.phase(), Phase::Doomed | Phase::Last);
            if self.under_way.is_none() && goes_on {
                let order = self.next_order(run).await?;
                self.ruled.asked.push((order.actor, order.name.clone(), order.asked.clone()));
                self.under_way = Some(order);
            }
            let Some(order) = self.under_way.clone() else {
                return self.see_the_rest(&mut client, own).await;
            };
            let ack = if order.actor == self.user {
                self.carry_out(&order, &mut client, own).await?
            } else {
                // A device of its own: other stewards may be at it with the same user.
                let device = format!("leaver-{}", self.user);
                let mut other = world.connect(run, order.actor, &device).await?;
                self.ruled.pushes.push(Vec::new());
                let place = self.ruled.pushes.len() - 1;
                self.carry_out(&order, &mut other, place).await?
            };
            self.under_way = None;
            self.take_ack(&order, ack)?;
        }
    }

    async fn carry_out(
        &mut self,
        order: &Order,
        client: &mut Client,
        pushes: usize,
    ) -> Result<SavedAck> {
        let mut frame = order.frame.clone();
        if let ClientFrame::GroupChat(chat) = &mut frame {
            chat.retry = order.is_retry;
        }
        client.send(&frame).await?;
        loop {
            match client.next_frame().await? {
                ServerFrame::Ack(ServerAck::Saved(ack)) => {
                    ensure!(ack.client_msg_id.as_str() == order.name, "a strange ack: {ack:?}");
                    return Ok(ack);
                }
                ServerFrame::Error(error) => bail!("{:?} is refused: {error:?}", order.asked),
                frame => self.see(frame, order.actor, pushes),
            }
        }
    }

    async fn see_the_rest(&mut self, client: &mut Client, pushes: usize) -> Result<()> {
        for frame in client.settle().await? {
            self.see(frame, self.user, pushes);
        }
        Ok(())
    }

    /// Gaps and receipts are passed over: the timelines are read in the end.
    fn see(&mut self, frame: ServerFrame, user: UserId, pushes: usize) {
        let Some(event) = Event::of(frame) else { return };
        if Some(event.conversation) != self.group {
            return;
        }
        if let Said::Message(message) = &event.said
            && user == self.user
        {
            self.remember(event.seq, event.from, message);
        }
        self.ruled.pushes[pushes].push((user, event));
    }

    fn remember(&mut self, seq: Seq, from: UserId, message: &Message) {
        if self.messages.len() == MESSAGES_REMEMBERED {
            self.messages.remove(0);
        }
        self.messages.push(Known { seq, from, message: message.clone() });
    }

    fn take_ack(&mut self, order: &Order, ack: SavedAck) -> Result<()> {
        ensure!(order.is_retry || !ack.duplicate, "sent once, but a duplicate: {ack:?}");
        let group = *self.group.get_or_insert(ack.conversation_id);
        ensure!(group == ack.conversation_id, "acked in another group: {ack:?}");
        match &order.asked {
            Asked::Message(message) => self.remember(ack.msg_seq, self.user, message),
            Asked::Change(change) => self.take_change(order.actor, ack.msg_seq, change),
        }
        if matches!(order.asked, Asked::Change(Change::GroupCreated { .. })) {
            self.world.groups.send_modify(|groups| groups.push(group));
        }
        self.ruled.acks.push((order.actor, ack));
        self.world.acks.saw_one();
        self.world.changes.saw_one();
        Ok(())
    }

    fn take_change(&mut self, actor: UserId, seq: Seq, change: &Change) {
        apply(change, actor, &mut self.members);
        let members = &self.members;
        self.joined.retain(|user, _| members.contains_key(user));
        for user in members.keys() {
            self.joined.entry(*user).or_insert(seq);
        }
        if let Some(target) = target_of(change)
            && let Some(known) = self.messages.iter_mut().find(|known| known.seq == target)
        {
            known.message.change(seq, actor, change);
        }
        self.messages.retain(|known| !known.message.recalled);
        match change {
            Change::Pinned { target_seq, removed: false } => self.pins.push(*target_seq),
            Change::Pinned { target_seq, .. } | Change::Recalled { target_seq } => {
                self.pins.retain(|seq| seq != target_seq);
            }
            _ => {}
        }
    }
}

impl Ruled {
    pub(super) fn group(&self) -> Result<ConversationId> {
        self.group.with_context(|| format!("{} has founded no group", self.owner))
    }
}
