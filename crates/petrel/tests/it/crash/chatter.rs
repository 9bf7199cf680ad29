//! A user who speaks in all groups, whether or not they let it: who is in which group
//! changes all the time, and only the server knows.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{SavedAck, ServerAck, ServerFrame};
use petrel_testkit::checker::Event;
use petrel_testkit::client::{Client, say};
use petrel_types::{ConversationId, UserId};

use super::random::Random;
use super::{Phase, Run, World};

pub(super) struct Chatter {
    world: Arc<World>,
    user: UserId,
    random: Random,
    under_way: Option<Saying>,
    next_name: u64,
    chatted: Chatted,
}

/// What a chatter did and saw.
#[derive(Default)]
pub(super) struct Chatted {
    pub(super) sent: Vec<(UserId, Saying)>,
    pub(super) acks: Vec<(UserId, SavedAck)>,
    pub(super) refused: Vec<(UserId, Saying)>,
    /// Of each connection.
    pub(super) pushes: Vec<Vec<(UserId, Event)>>,
}

/// Something said in a group.
#[derive(Clone)]
pub(super) struct Saying {
    pub(super) group: ConversationId,
    pub(super) name: String,
    pub(super) text: String,
    is_retry: bool,
}

impl Chatter {
    pub(super) fn new(world: Arc<World>, user: UserId, seed: u64) -> Self {
        Self {
            world,
            user,
            random: Random::new(seed ^ user.get()),
            under_way: None,
            next_name: 0,
            chatted: Chatted::default(),
        }
    }

    /// Chats over one connection after another until told to finish.
    pub(super) async fn chat(mut self) -> Result<Chatted> {
        let mut last = None;
        loop {
            let run = self.world.run_after(last).await?;
            last = Some(run.number);
            match self.chat_during(run).await {
                Ok(()) => return Ok(self.chatted),
                Err(error) if self.world.was_killed(run, &error) => {}
                Err(error) => {
                    return Err(error.context(format!("chatter {} in {run:?}", self.user)));
                }
            }
        }
    }

    async fn chat_during(&mut self, run: Run) -> Result<()> {
        let world = Arc::clone(&self.world);
        let mut client = world.connect(run, self.user, "chatter").await?;
        self.chatted.pushes.push(Vec::new());
        if let Some(saying) = &mut self.under_way {
            saying.is_retry = true;
        }
        let mut groups = self.world.groups.subscribe();
        loop {
            let goes_on = matches!(self.world.phase(), Phase::Doomed | Phase::Last);
            if self.under_way.is_none() && goes_on {
                let known = groups.borrow_and_update().clone();
                if known.is_empty() {
                    // The first founding is under way, and may need another start.
                    tokio::select! {
                        changed = groups.changed() => changed?,
                        frame = client.next_frame() => self.see(frame?)?,
                    }
                    continue;
                }
                let saying = self.next_saying(&known);
                self.chatted.sent.push((self.user, saying.clone()));
                self.under_way = Some(saying);
            }
            let Some(saying) = self.under_way.clone() else {
                for frame in client.settle().await? {
                    self.see(frame)?;
                }
                return Ok(());
            };
            self.carry_out(&saying, &mut client).await?;
            self.under_way = None;
        }
    }

    fn next_saying(&mut self, groups: &[ConversationId]) -> Saying {
        self.next_name += 1;
        let name = format!("c{}-{}", self.user, self.next_name);
        let text = format!("~{name}~");
        Saying { group: *self.random.one_of(groups), name, text, is_retry: false }
    }

    async fn carry_out(&mut self, saying: &Saying, client: &mut Client) -> Result<()> {
        let Saying { group, name, text, is_retry } = saying;
        client.send(&say(*group, name, text, *is_retry)).await?;
        loop {
            match client.next_frame().await? {
                ServerFrame::Ack(ServerAck::Saved(ack)) => {
                    ensure!(ack.client_msg_id.as_str() == name, "a strange ack: {ack:?}");
                    ensure!(*is_retry || !ack.duplicate, "sent once: {ack:?}");
                    self.chatted.acks.push((self.user, ack));
                    self.world.acks.saw_one();
                    return Ok(());
                }
                ServerFrame::Error(error) => {
                    let is_stranger = error.reason == ErrorReason::ConversationNotFound;
                    ensure!(is_stranger, "{name} is refused: {error:?}");
                    self.chatted.refused.push((self.user, saying.clone()));
                    return Ok(());
                }
                frame => self.see(frame)?,
            }
        }
    }

    /// Gaps are passed over: the timelines are read in the end.
    fn see(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Gap(_) => {}
            frame => match Event::of(frame.clone()) {
                Some(event) => {
                    let pushes = self.chatted.pushes.last_mut().expect("connected");
                    pushes.push((self.user, event));
                }
                None => bail!("{} got {}", self.user, frame.encode(None)),
            },
        }
        Ok(())
    }
}
