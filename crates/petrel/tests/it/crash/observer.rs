//! A second device of a chatter: it only reads, and keeps a copy of every conversation
//! as docs/protocol.md tells a client to.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use petrel_protocol::frame::{ServerAck, ServerFrame};
use petrel_testkit::checker::{Event, Said, target_of};
use petrel_testkit::client::Client;
use petrel_types::{ConversationId, Seq, UserId};

use super::{Phase, Run, World};

pub(super) struct Observer {
    world: Arc<World>,
    user: UserId,
    token: Option<String>,
    copies: BTreeMap<ConversationId, Copy>,
}

/// A conversation.
#[derive(Default)]
struct Copy {
    position: Seq,
    events: BTreeMap<Seq, Event>,
}

/// Every conversation, and the events in it.
pub(super) type Observed = BTreeMap<ConversationId, Vec<Event>>;

impl Observer {
    pub(super) fn new(world: Arc<World>, user: UserId) -> Self {
        Self { world, user, token: None, copies: BTreeMap::new() }
    }

    /// Reads over one connection after another, and catches up when all is over.
    pub(super) async fn observe(mut self) -> Result<(UserId, Observed)> {
        let mut last = None;
        loop {
            let run = self.world.run_after(last).await?;
            last = Some(run.number);
            match self.observe_during(run).await {
                Ok(()) => {
                    let events = |copy: Copy| copy.events.into_values().collect();
                    let copies = self.copies.into_iter().map(|(id, copy)| (id, events(copy)));
                    return Ok((self.user, copies.collect()));
                }
                Err(error) if self.world.was_killed(run, &error) => {}
                Err(error) => {
                    return Err(error.context(format!("observer {} in {run:?}", self.user)));
                }
            }
        }
    }

    async fn observe_during(&mut self, run: Run) -> Result<()> {
        let world = Arc::clone(&self.world);
        let mut client = world.connect(run, self.user, "observer").await?;
        self.catch_up(&mut client).await?;
        let over = world.becomes(Phase::Over);
        tokio::pin!(over);
        loop {
            tokio::select! {
                frame = client.next_frame() => self.take(frame?, &mut client).await?,
                reached = &mut over => {
                    reached?;
                    break;
                }
            }
        }
        for frame in client.settle().await? {
            self.take(frame, &mut client).await?;
        }
        self.catch_up(&mut client).await
    }

    async fn catch_up(&mut self, client: &mut Client) -> Result<()> {
        let synced = client.sync_all(self.token.as_deref()).await?;
        ensure!(!synced.resync, "asked to start anew, but nothing was lost");
        for entry in synced.conversations {
            self.pull(entry.conversation_id, client).await?;
            let position = self.copies[&entry.conversation_id].position;
            ensure!(position >= entry.head_seq, "{entry:?}, and the position is {position}");
        }
        self.token = Some(synced.token);
        Ok(())
    }

    async fn take(&mut self, frame: ServerFrame, client: &mut Client) -> Result<()> {
        match frame {
            ServerFrame::Gap(gap) => return self.pull(gap.conversation_id, client).await,
            // How far the user has read, on another device.
            ServerFrame::Ack(ServerAck::Receipt(_)) => return Ok(()),
            _ => {}
        }
        let Some(event) = Event::of(frame.clone()) else {
            bail!("{} got {}", self.user, frame.encode(None));
        };
        let (id, seq) = (event.conversation, event.seq);
        let copy = self.copies.entry(id).or_default();
        if seq == copy.position.next() {
            copy.append(event);
        } else if seq > copy.position {
            self.pull(id, client).await?;
            ensure!(self.copies[&id].position >= seq, "pushed, but not to be pulled: {event:?}");
        }
        Ok(())
    }

    async fn pull(&mut self, id: ConversationId, client: &mut Client) -> Result<()> {
        let copy = self.copies.entry(id).or_default();
        let stretch = client.pull_events(id, copy.position).await?;
        for event in stretch.events {
            copy.append(event);
        }
        copy.position = copy.position.max(stretch.to);
        Ok(())
    }
}

impl Copy {
    fn append(&mut self, event: Event) {
        self.position = event.seq;
        if let Said::Change(change) = &event.said
            && let Some(target) = target_of(change).and_then(|seq| self.events.get_mut(&seq))
        {
            target.change(&event);
        }
        self.events.insert(event.seq, event);
    }
}
