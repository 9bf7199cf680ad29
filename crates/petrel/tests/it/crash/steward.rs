//! The owner of a group, who changes it all the time and knows what has become of it.
//!
//! One change is under way at a time, and is sent again under its name until it is
//! acknowledged, so that the acks say who must be in the group. Every change is one that
//! is allowed: a refusal is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use petrel_protocol::frame::{
    Change, ClientFrame, History, Role, SavedAck, ServerAck, ServerFrame,
};
use petrel_testkit::checker::group::{Asked, apply};
use petrel_testkit::checker::{Event, Said};
use petrel_testkit::client::{
    Client, add, edit, found, leave, recall, remove, say, set_role, set_title,
};
use petrel_types::{ConversationId, Seq, UserId};

use super::random::Random;
use super::{Phase, Run, World, chatter_ids};

/// How many messages of the past are still recalled or edited.
const MESSAGES_REMEMBERED: usize = 50;

pub(super) struct Steward {
    world: Arc<World>,
    user: UserId,
    random: Random,
    group: Option<ConversationId>,
    /// Who is in the group, by what was acknowledged.
    members: BTreeMap<UserId, Role>,
    /// Messages that can be changed, and whose they are.
    messages: Vec<(Seq, UserId)>,
    under_way: Option<Order>,
    next_name: u64,
    ruled: Ruled,
}

/// What a steward did and saw.
#[derive(Default)]
pub(super) struct Ruled {
    pub(super) group: Option<ConversationId>,
    pub(super) owner: UserId,
    pub(super) members: BTreeMap<UserId, Role>,
    pub(super) asked: Vec<(UserId, String, Asked)>,
    pub(super) acks: Vec<(UserId, SavedAck)>,
    /// Of each connection.
    pub(super) pushes: Vec<Vec<(UserId, Event)>>,
}

/// A change that is to be made.
#[derive(Clone)]
struct Order {
    /// Who makes it: the owner, or a member who leaves.
    actor: UserId,
    name: String,
    asked: Asked,
    frame: ClientFrame,
    is_retry: bool,
}

impl Steward {
    pub(super) fn new(world: Arc<World>, user: UserId, seed: u64) -> Self {
        Self {
            world,
            user,
            random: Random::new(seed ^ user.get()),
            group: None,
            members: BTreeMap::new(),
            messages: Vec::new(),
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
                let order = self.next_order();
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
        if let Said::Message { .. } = &event.said
            && user == self.user
        {
            self.remember(event.seq, event.from);
        }
        self.ruled.pushes[pushes].push((user, event));
    }

    fn remember(&mut self, seq: Seq, from: UserId) {
        if self.messages.len() == MESSAGES_REMEMBERED {
            self.messages.remove(0);
        }
        self.messages.push((seq, from));
    }

    fn take_ack(&mut self, order: &Order, ack: SavedAck) -> Result<()> {
        ensure!(order.is_retry || !ack.duplicate, "sent once, but a duplicate: {ack:?}");
        let group = *self.group.get_or_insert(ack.conversation_id);
        ensure!(group == ack.conversation_id, "acked in another group: {ack:?}");
        match &order.asked {
            Asked::Message(_) => self.remember(ack.msg_seq, self.user),
            Asked::Change(change) => apply(change, order.actor, &mut self.members),
        }
        if matches!(order.asked, Asked::Change(Change::GroupCreated { .. })) {
            self.world.groups.send_modify(|groups| groups.push(group));
        }
        self.ruled.acks.push((order.actor, ack));
        self.world.acks.saw_one();
        self.world.changes.saw_one();
        Ok(())
    }

    fn next_order(&mut self) -> Order {
        self.next_name += 1;
        let name = format!("g{}-{}", self.user, self.next_name);
        let order = |actor, change, frame| Order {
            actor,
            name: name.clone(),
            asked: Asked::Change(change),
            frame,
            is_retry: false,
        };
        let Some(group) = self.group else {
            let members: Vec<_> = chatter_ids().take(2).collect();
            let title = format!("group of {}", self.user);
            let frame = found(&name, &title, members.clone(), History::Joined);
            let history = History::Joined;
            return order(self.user, Change::GroupCreated { title, members, history }, frame);
        };
        let outside: Vec<_> =
            chatter_ids().filter(|user| !self.members.contains_key(user)).collect();
        let inside: Vec<_> =
            self.members.keys().copied().filter(|user| *user != self.user).collect();
        match self.random.within(0..12) {
            0..3 if !outside.is_empty() => {
                let members = self.some(&outside);
                let frame = add(group, &name, members.clone());
                order(self.user, Change::MembersAdded { members }, frame)
            }
            3..5 if !inside.is_empty() => {
                let members = self.some(&inside);
                let frame = remove(group, &name, members.clone());
                order(self.user, Change::MembersRemoved { members }, frame)
            }
            5 if !inside.is_empty() => {
                let actor = *self.random.one_of(&inside);
                order(actor, Change::MemberLeft, leave(group, &name))
            }
            6 if !inside.is_empty() => {
                let user = *self.random.one_of(&inside);
                let is_admin = self.members[&user] == Role::Admin;
                let role = if is_admin { Role::Member } else { Role::Admin };
                let frame = set_role(group, &name, user, role);
                order(self.user, Change::RoleChanged { user, role }, frame)
            }
            7 => {
                let title = format!("title {name}");
                let frame = set_title(group, &name, &title);
                order(self.user, Change::TitleChanged { title }, frame)
            }
            8 if !self.messages.is_empty() => {
                let place = self.random.within(0..self.messages.len() as u64);
                let place = usize::try_from(place).expect("below a length");
                let (target_seq, _) = self.messages.remove(place);
                let frame = recall(group, &name, target_seq);
                order(self.user, Change::Recalled { target_seq }, frame)
            }
            9 if self.messages.iter().any(|(_, from)| *from == self.user) => {
                let own = self.messages.iter().filter(|(_, from)| *from == self.user);
                let own: Vec<_> = own.map(|(seq, _)| *seq).collect();
                let target_seq = *self.random.one_of(&own);
                let body = format!("~{name}~");
                let frame = edit(group, &name, target_seq, &body);
                order(self.user, Change::Edited { target_seq, body: Some(body) }, frame)
            }
            _ => {
                let text = format!("~{name}~");
                let frame = say(group, &name, &text, false);
                Order {
                    actor: self.user,
                    name,
                    asked: Asked::Message(text),
                    frame,
                    is_retry: false,
                }
            }
        }
    }

    /// One or two of them, by user id.
    fn some(&mut self, users: &[UserId]) -> Vec<UserId> {
        let many = self.random.within(1..3);
        let some: BTreeSet<_> = (0..many).map(|_| *self.random.one_of(users)).collect();
        some.into_iter().collect()
    }
}

impl Ruled {
    pub(super) fn group(&self) -> Result<ConversationId> {
        self.group.with_context(|| format!("{} has founded no group", self.owner))
    }
}
