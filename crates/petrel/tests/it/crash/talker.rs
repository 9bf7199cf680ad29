//! Somebody who sends without waiting, and sends again what was not acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use petrel_protocol::frame::{ClientFrame, SavedAck, ServerAck, ServerFrame, SingleChatPush};
use petrel_testkit::checker::{Acked, Sent};
use petrel_testkit::client::{Client, chat};
use petrel_types::{ClientMessageId, UserId};

use super::random::Random;
use super::{Phase, Run, World};

/// How many messages may wait for their ack.
const IN_FLIGHT_MAX: usize = 64;

pub(super) struct Talker {
    world: Arc<World>,
    user: UserId,
    peers: Vec<UserId>,
    random: Random,
    pending: VecDeque<Pending>,
    talked: Talked,
}

/// What a talker did and saw.
#[derive(Default)]
pub(super) struct Talked {
    pub(super) sent: Vec<Sent>,
    pub(super) acks: Vec<Acked>,
    pub(super) pushes: Vec<SingleChatPush>,
    /// Acks that said that the message had been stored before.
    pub(super) duplicates: u64,
}

/// A message without an ack.
struct Pending {
    message: Sent,
    /// It was on its way when a server was killed.
    is_retry: bool,
}

impl Talker {
    pub(super) fn new(world: Arc<World>, user: UserId, peers: Vec<UserId>, seed: u64) -> Self {
        Self {
            world,
            user,
            peers,
            random: Random::new(seed ^ user.get()),
            pending: VecDeque::new(),
            talked: Talked::default(),
        }
    }

    /// Talks over one connection after another until told to finish.
    pub(super) async fn talk(mut self) -> Result<Talked> {
        let mut last = None;
        loop {
            let run = self.world.run_after(last).await?;
            last = Some(run.number);
            match self.talk_during(run).await {
                Ok(()) => return Ok(self.talked),
                Err(error) if self.world.was_killed(run, &error) => {}
                Err(error) => {
                    return Err(error.context(format!("talker {} in {run:?}", self.user)));
                }
            }
        }
    }

    async fn talk_during(&mut self, run: Run) -> Result<()> {
        let mut client = self.world.connect(run, self.user, "talker").await?;
        // Whatever the last server may have stored without telling comes first, in the
        // order of the first sending.
        for pending in &mut self.pending {
            pending.is_retry = true;
        }
        let mut frames: Vec<_> = self.pending.iter().map(Pending::frame).collect();
        loop {
            let goes_on = matches!(self.world.phase(), Phase::Doomed | Phase::Last);
            while goes_on && self.pending.len() < IN_FLIGHT_MAX {
                frames.push(self.next_message());
            }
            if self.pending.is_empty() {
                return self.see_the_rest(&mut client).await;
            }
            if let Err(error) = client.send_all(frames.drain(..)).await {
                // Acks that came before the end still count.
                self.read_rest(&mut client).await?;
                return Err(error);
            }
            let frame = client.next_frame().await?;
            self.take(frame)?;
        }
    }

    fn next_message(&mut self) -> ClientFrame {
        let to = *self.random.one_of(&self.peers);
        let number = self.talked.sent.len();
        let message = Sent {
            from: self.user,
            to,
            name: ClientMessageId::new(format!("{}-{number}", self.user)).expect("a short name"),
            body: format!("number {number} of {}", self.user),
        };
        self.talked.sent.push(message.clone());
        let pending = Pending { message, is_retry: false };
        let frame = pending.frame();
        self.pending.push_back(pending);
        frame
    }

    fn take(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Ack(ServerAck::Saved(ack)) => self.take_ack(ack),
            ServerFrame::SingleChat(push) => {
                ensure!(
                    push.to == self.user || push.from == self.user,
                    "{} was pushed what is none of theirs: {push:?}",
                    self.user
                );
                self.talked.pushes.push(push);
                Ok(())
            }
            // Talkers acknowledge nothing, so on a slow machine they are reminded.
            ServerFrame::Gap(_) => Ok(()),
            other => bail!("{} got {}", self.user, other.encode(None)),
        }
    }

    fn take_ack(&mut self, ack: SavedAck) -> Result<()> {
        let place = self
            .pending
            .iter()
            .position(|pending| pending.message.name == ack.client_msg_id)
            .with_context(|| format!("{} did not wait for {ack:?}", self.user))?;
        let pending = self.pending.remove(place).context("just found")?;
        ensure!(
            pending.is_retry || !ack.duplicate,
            "sent once, but said to be a duplicate: {ack:?}"
        );
        self.talked.duplicates += u64::from(ack.duplicate);
        self.talked.acks.push(Acked { sender: self.user, ack });
        self.world.acks.saw_one();
        Ok(())
    }

    /// Takes what had arrived before the connection broke.
    async fn read_rest(&mut self, client: &mut Client) -> Result<()> {
        while let Ok(frame) = client.next_frame().await {
            self.take(frame)?;
        }
        Ok(())
    }

    /// Takes what the server has in store before leaving in peace.
    async fn see_the_rest(&mut self, client: &mut Client) -> Result<()> {
        for frame in client.settle().await? {
            self.take(frame)?;
        }
        Ok(())
    }
}

impl Pending {
    fn frame(&self) -> ClientFrame {
        let Sent { to, name, body, .. } = &self.message;
        let mut frame = chat(*to, name.as_str(), body);
        if let ClientFrame::SingleChat(chat) = &mut frame {
            chat.retry = self.is_retry;
        }
        frame
    }
}
