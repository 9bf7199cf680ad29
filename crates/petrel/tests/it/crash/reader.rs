//! A second device of a talker, which only reads and keeps a copy of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use petrel_protocol::frame::{ServerFrame, SingleChatPush};
use petrel_testkit::checker::{Timeline, without_mark};
use petrel_testkit::client::Client;
use petrel_types::{ConversationId, Seq, UserId};

use super::{Phase, Run, World};

pub(super) struct Reader {
    world: Arc<World>,
    user: UserId,
    token: Option<String>,
    copy: Copy,
}

/// What a device holds: of each conversation a prefix without holes.
pub(super) type Copy = BTreeMap<ConversationId, Timeline>;

impl Reader {
    pub(super) fn new(world: Arc<World>, user: UserId) -> Self {
        Self { world, user, token: None, copy: Copy::new() }
    }

    /// Reads over one connection after another, and catches up when all is over.
    pub(super) async fn read(mut self) -> Result<(UserId, Copy)> {
        let mut last = None;
        loop {
            let run = self.world.run_after(last).await?;
            last = Some(run.number);
            match self.read_during(run).await {
                Ok(()) => return Ok((self.user, self.copy)),
                Err(error) if self.world.was_killed(run, &error) => {}
                Err(error) => {
                    return Err(error.context(format!("reader {} in {run:?}", self.user)));
                }
            }
        }
    }

    async fn read_during(&mut self, run: Run) -> Result<()> {
        let world = Arc::clone(&self.world);
        let mut client = world.connect(run, self.user, "reader").await?;
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

    /// SYNC to the end and PULL what is missing of each conversation that changed.
    async fn catch_up(&mut self, client: &mut Client) -> Result<()> {
        let synced = client.sync_all(self.token.as_deref()).await?;
        ensure!(!synced.resync, "asked to start anew, but nothing was lost");
        for entry in synced.conversations {
            let head = self.head(entry.conversation_id);
            ensure!(
                entry.head_seq >= head,
                "conversation {} went back from {head} to {}",
                entry.conversation_id,
                entry.head_seq
            );
            self.pull(entry.conversation_id, client).await?;
        }
        // Only now: had the connection broken before, the last token would tell it again.
        self.token = Some(synced.token);
        Ok(())
    }

    async fn take(&mut self, frame: ServerFrame, client: &mut Client) -> Result<()> {
        match frame {
            ServerFrame::SingleChat(push) => {
                let conversation = push.conversation_id;
                if push.msg_seq > self.head(conversation).next() {
                    // A jump: what was pushed is part of what is pulled.
                    self.pull(conversation, client).await?;
                    ensure!(
                        push.msg_seq <= self.head(conversation),
                        "pushed, but not there to be pulled: {push:?}"
                    );
                }
                self.append(without_mark(&push))
            }
            ServerFrame::Gap(gap) => self.pull(gap.conversation_id, client).await,
            other => bail!("{} got {}", self.user, other.encode(None)),
        }
    }

    async fn pull(&mut self, conversation: ConversationId, client: &mut Client) -> Result<()> {
        let head = self.head(conversation);
        for event in client.pull_after(conversation, head).await?.events {
            self.append(event)?;
        }
        Ok(())
    }

    /// Adds the next event, or compares one that is there.
    fn append(&mut self, event: SingleChatPush) -> Result<()> {
        let conversation = event.conversation_id;
        let copy = self.copy.entry(conversation).or_insert(Timeline {
            conversation,
            head: Seq::ZERO,
            events: Vec::new(),
        });
        if event.msg_seq == copy.head.next() {
            copy.head = event.msg_seq;
            copy.events.push(event);
            return Ok(());
        }
        let held = copy
            .events
            .iter()
            .find(|held| held.msg_seq == event.msg_seq)
            .with_context(|| format!("a hole after {} before {event:?}", copy.head))?;
        ensure!(*held == event, "once it was {held:?}, and then it was {event:?}");
        Ok(())
    }

    fn head(&self, conversation: ConversationId) -> Seq {
        self.copy.get(&conversation).map_or(Seq::ZERO, |copy| copy.head)
    }
}
