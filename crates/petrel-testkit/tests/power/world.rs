//! A server in this process: sequencers over the embedded store, users who write to each
//! other, and a record of what happens to the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use petrel_log::{
    Command, Content, Destination, LoggedCommand, Origin, ReceiptKind, Request, SendRequest,
};
use petrel_logic::sequencer::{Effect, Rules, Sequencer};
use petrel_protocol::frame::{ReceiptKind as WireReceiptKind, SavedAck, ServerAck, ServerFrame};
use petrel_store::sqlite::{Options, SqliteStore};
use petrel_store::{
    BegunUpload, FileFacts, FileStore, IdentityStore, LoginDevice, LoginEnd, NewLogin, NewUpload,
    Quota, RefreshTokens, Store, WhichLogins,
};
use petrel_testkit::power::{Journal, Recording};
use petrel_types::{
    ClientMessageId, Clock, LogPosition, LoginId, ManualClock, NodeId, Partition, Seq, SessionId,
    TimestampMs, UserId,
};

use crate::check::check;
use crate::groups::{self, TAG_FIRST};
use crate::history::{
    Ask, At, Consumed, History, LoginStage, Message, Place, Registered, ToldCursor, ToldLogin,
    Uploaded,
};
use crate::own;

const PARTITIONS: u16 = 2;
const USERS: u64 = 8;
/// A tag of commands that are not about a message.
const NO_MESSAGE: u64 = u64::MAX;
/// The checkpoints and batches that a life has at least.
const CHECKPOINTS_MIN: usize = 8;
const BATCHES_MIN: usize = 120;
/// A life ends here even if the store has made no checkpoint of its own accord. All that
/// is written stays in memory.
const BYTES_MAX: usize = 256 << 20;

/// When the senders are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    /// As they should be.
    AfterCommit,
    /// The fault that the proof must notice.
    BeforeCommit,
}

pub(crate) struct World {
    directory: PathBuf,
    random: fastrand::Rng,
    acks: Acks,
    clock: Arc<ManualClock>,
    server: Option<Server>,
    pub(crate) history: History,
    /// Let go of last, after the store has written its last.
    recording: Recording,
}

/// What a process holds from its start to its end.
struct Server {
    owners: [Owner; PARTITIONS as usize],
    store: Arc<SqliteStore>,
}

struct Owner {
    sequencer: Sequencer,
    next_position: LogPosition,
}

impl World {
    /// Starts a server over a directory in which `history` has happened.
    pub(crate) async fn start(
        directory: &Path,
        history: History,
        seed: u64,
        acks: Acks,
    ) -> Result<Self> {
        let recording = Recording::start(directory)?;
        let mut world = Self {
            directory: directory.to_owned(),
            random: fastrand::Rng::with_seed(seed),
            acks,
            clock: Arc::new(ManualClock::new(TimestampMs::new(1_800_000_000_000))),
            server: None,
            history,
            recording,
        };
        world.open().await?;
        Ok(world)
    }

    /// What has happened to the files.
    pub(crate) fn journal(&self) -> &Journal {
        self.recording.journal()
    }

    /// A life, long enough for checkpoints, with a restart now and then. Returns how many
    /// checkpoints there were beside those that belong to a restart.
    pub(crate) async fn live(&mut self) -> Result<usize> {
        let mut by_restarts = self.journal().database_syncs();
        let mut checkpoints = 0;
        let mut batches = 0;
        while (batches < BATCHES_MIN || checkpoints < CHECKPOINTS_MIN)
            && self.journal().bytes_written() < BYTES_MAX
        {
            self.batch().await?;
            batches += 1;
            match self.random.u32(..100) {
                0..4 => self.register().await?,
                6..20 => self.upload().await?,
                4..6 => {
                    let before = self.journal().database_syncs();
                    self.restart().await?;
                    by_restarts += self.journal().database_syncs() - before;
                }
                _ => {}
            }
            checkpoints = self.journal().database_syncs() - by_restarts;
        }
        Ok(checkpoints)
    }

    /// Senders come back: what has no ack is sent again, some that has one too, and new
    /// messages.
    pub(crate) async fn resume(&mut self) -> Result<()> {
        let mut again: Vec<_> = (0..self.history.messages.len())
            .filter(|index| self.history.messages[*index].saved.is_none())
            .map(|index| (index, self.random.bool()))
            .collect();
        for _ in 0..50.min(self.history.messages.len()) {
            again.push((self.random.usize(..self.history.messages.len()), true));
        }
        for _ in 0..20 {
            again.push((self.write(), false));
        }
        self.random.shuffle(&mut again);
        while !again.is_empty() {
            let some = again.split_off(again.len().saturating_sub(100));
            let commands = some.into_iter().map(|(index, retry)| self.send(index, retry));
            let commands = commands.collect();
            self.decide(commands).await?;
        }
        let open = |ask: &Ask| ask.saved.is_none() && ask.done.is_none() && !ask.refused;
        let asks: Vec<_> =
            (0..self.history.asks.len()).filter(|it| open(&self.history.asks[*it])).collect();
        let commands = asks.into_iter().map(|index| self.send_ask(index));
        let mut commands = commands.collect::<Result<Vec<_>>>()?;
        self.derive(&mut commands).await?;
        self.decide(commands).await?;
        let silent = self.history.asks.iter().find(|ask| open(ask));
        ensure!(silent.is_none(), "no answer to {silent:?}");
        let silent = self.history.messages.iter().find(|message| message.saved.is_none());
        ensure!(silent.is_none(), "no ack for {silent:?}");
        Ok(())
    }

    /// Closes the store and starts again.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.open().await
    }

    /// Closes the store.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.store.close().await?;
        }
        Ok(())
    }

    /// Compares what is stored with what was said.
    pub(crate) async fn check(&mut self) -> Result<()> {
        let server = self.server.as_ref().context("the server runs")?;
        check(&*server.store, &self.history, &mut self.random).await?;
        for told in &self.history.consumed {
            let Consumed { partition, next } = told.what;
            let now = server.owners[partition].next_position;
            ensure!(now >= next, "the log was consumed up to {next}, and now begins at {now}");
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<()> {
        let options = self.options();
        let store = SqliteStore::open_with(&self.directory, options);
        let store = Arc::new(store.context("the store can't be opened")?);
        let epoch = At::new(self.journal().position(), store.epoch());
        self.history.epochs.push(epoch);
        let owners = [self.claim(&store, 0).await?, self.claim(&store, 1).await?];
        self.server = Some(Server { owners, store });
        Ok(())
    }

    /// Thresholds so small that flushes and checkpoints happen all the time, or, now and
    /// then, those of a server.
    fn options(&mut self) -> Options {
        let random = &mut self.random;
        if random.u8(..4) == 0 {
            return Options::default();
        }
        let checkpoint_bytes = random.u64(1..16) << 17;
        Options {
            tail_rows: random.usize(20..1500),
            slice_rows: random.usize(1..200),
            flush_idle_after: None,
            checkpoint_bytes,
            restart_bytes: checkpoint_bytes * random.u64(1..8),
            ..Options::default()
        }
    }

    async fn claim(&self, store: &Arc<SqliteStore>, partition: u16) -> Result<Owner> {
        let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (store.clone(), self.clock.clone());
        let rules = Rules { external_users: true, ..Rules::default() };
        let (sequencer, next_position) =
            Sequencer::claim(store, clock, rules, Partition::new(partition)).await?;
        Ok(Owner { sequencer, next_position })
    }

    /// Some commands that are decided together.
    async fn batch(&mut self) -> Result<()> {
        self.clock.advance(Duration::from_millis(self.random.u64(..2000)));
        let size = match self.random.u32(..100) {
            0..40 => self.random.usize(1..8),
            40..95 => self.random.usize(8..50),
            _ => self.random.usize(50..400),
        };
        let mut commands = Vec::with_capacity(size);
        for _ in 0..size {
            let command = match self.random.u32(..100) {
                0..12 => self.send_again(),
                12..27 => self.receipt(),
                27..33 => self.ask()?,
                _ => None,
            };
            let command = command.unwrap_or_else(|| {
                let message = self.write();
                self.send(message, false)
            });
            commands.push(command);
        }
        if self.random.u8(..4) == 0 {
            self.derive(&mut commands).await?;
        }
        self.decide(commands).await
    }

    /// The founder of some group wants something, or asks for it again.
    fn ask(&mut self) -> Result<Option<Command>> {
        let many = self.history.asks.len();
        if many > 0 && self.random.u8(..4) == 0 {
            let index = self.random.usize(..many);
            return self.send_ask(index).map(Some);
        }
        let history = &self.history;
        let ask = match self.random.u8(..5) {
            0 => Some(own::next_ask(history, &mut self.random)),
            _ => groups::next_ask(history, USERS, &mut self.random),
        };
        let Some(mut ask) = ask else { return Ok(None) };
        ask.sent = self.recording.journal().position();
        self.history.asks.push(ask);
        self.send_ask(many).map(Some)
    }

    fn send_ask(&self, index: usize) -> Result<Command> {
        let ask = &self.history.asks[index];
        let session = SessionId::new(ask.actor.get());
        let origin = Origin { node: NodeId::new(1), session, tag: 0 };
        groups::command(ask, index, origin)
    }

    /// What follows from changes is asked for, once or twice.
    async fn derive(&mut self, commands: &mut Vec<Command>) -> Result<()> {
        let server = self.server.as_ref().context("the server runs")?;
        for derivation in server.store.unsettled(None, 20).await? {
            for _ in 0..self.random.usize(..3) {
                commands.push(groups::carry_out(&derivation)?);
            }
        }
        Ok(())
    }

    fn user(&mut self) -> UserId {
        UserId::new(1 + self.random.u64(..USERS))
    }

    /// Somebody writes a message.
    fn write(&mut self) -> usize {
        let index = self.history.messages.len();
        let sender = self.user();
        let to = std::iter::repeat_with(|| self.user()).find(|to| *to != sender);
        let size = match self.random.u32(..100) {
            0..80 => self.random.usize(..120),
            80..97 => self.random.usize(200..2000),
            _ => self.random.usize(..8000),
        };
        let body = format!("{index}, ").repeat(1 + size / 6);
        self.history.messages.push(Message {
            sender,
            to: to.expect("there are several users"),
            name: format!("message-{index}"),
            body,
            sent: self.recording.journal().position(),
            saved: None,
        });
        index
    }

    fn send(&self, index: usize, retry: bool) -> Command {
        let message = &self.history.messages[index];
        let request = Request::Send(SendRequest {
            to: Destination::User(message.to),
            client_message_id: ClientMessageId::new(message.name.as_str()).expect("it is short"),
            content: Content::Text(message.body.clone()),
            retry,
            first_sent: None,
        });
        command(message.sender, index as u64, request)
    }

    /// A message of any time is sent again.
    fn send_again(&mut self) -> Option<Command> {
        let index = self.random.usize(..self.history.messages.len().max(1));
        (index < self.history.messages.len()).then(|| self.send(index, true))
    }

    /// A member has received or read up to some message.
    fn receipt(&mut self) -> Option<Command> {
        let index = self.random.usize(..self.history.messages.len().max(1));
        let message = self.history.messages.get(index)?;
        let place = message.saved.as_ref()?.what;
        let actor = if self.random.bool() { message.sender } else { message.to };
        let kind = if self.random.bool() { ReceiptKind::Read } else { ReceiptKind::Delivered };
        let (conversation, seq) = (place.conversation, place.seq);
        let request = Request::AdvanceCursor { conversation, kind, seq };
        Some(command(actor, NO_MESSAGE, request))
    }

    /// Somebody registers.
    async fn register(&mut self) -> Result<()> {
        let name = format!("user-{}", self.history.users.len());
        let server = self.server.as_ref().context("the server runs")?;
        let user = server.store.create_user(&name, "no password", self.clock.now()).await?.id;
        let position = self.journal().position();
        let ends = !self.history.users.len().is_multiple_of(2);
        self.history.users.push(At::new(position, Registered { user, name }));
        self.log_in(user, ends).await
    }

    /// Who has founded a group uploads a file: what the store knows of it, that is.
    async fn upload(&mut self) -> Result<()> {
        let founders: Vec<_> = self.history.asks.iter().map(|ask| ask.actor).collect();
        let Some(owner) = self.random.choice(founders) else { return Ok(()) };
        let store = Arc::clone(&self.server.as_ref().context("the server runs")?.store);
        let object = format!("object-{}", self.history.files.len());
        let (now, expires) = (self.clock.now(), TimestampMs::new(i64::MAX as u64));
        let quota = Quota { bytes: u64::MAX >> 1, uploads: 10 };
        let upload = NewUpload {
            owner,
            object: object.clone(),
            name: "some.bin".to_owned(),
            content_type: "application/octet-stream".to_owned(),
            size: Some(10),
            created: now,
            expires,
        };
        let begun = store.begin_upload(upload, quota).await?;
        let BegunUpload::Begun(file) = begun else { bail!("no upload: {begun:?}") };
        let facts = FileFacts {
            size: 10,
            content_type: "application/octet-stream".to_owned(),
            sha256: [7; 32],
            dimensions: None,
            thumbnail: None,
        };
        ensure!(store.complete_upload(file, facts, expires, quota).await?, "no file {file}");
        let position = self.journal().position();
        self.history.files.push(At::new(position, Uploaded { file, owner, object }));
        Ok(())
    }

    /// Somebody logs in and refreshes, and perhaps logs out.
    async fn log_in(&mut self, user: UserId, ends: bool) -> Result<()> {
        let store = Arc::clone(&self.server.as_ref().context("the server runs")?.store);
        let (now, later) = (self.clock.now(), TimestampMs::new(i64::MAX as u64));
        let end = LoginEnd { at: now, remembered_until: later };
        let tokens = |stage: LoginStage| RefreshTokens {
            family: [0; 32],
            current: [stage as u8; 32],
            previous: None,
        };
        let refresh = tokens(LoginStage::Begun);
        let (device, expected) = (LoginDevice::default(), refresh.current);
        let login = NewLogin { user, device, refresh, created: now, expires: later };
        let login = store.begin_login(login, 1, end).await?.id;
        self.told_login(login, LoginStage::Begun, ends);
        let next = tokens(LoginStage::Refreshed);
        let was_expected = store.replace_refresh_tokens(login, &expected, next, now, later).await?;
        ensure!(was_expected, "the tokens of log-in {login} were others");
        self.told_login(login, LoginStage::Refreshed, ends);
        if ends {
            let ended = store.end_logins(user, WhichLogins::All, end).await?;
            ensure!(ended == [login], "ended {ended:?}, not {login}");
            self.told_login(login, LoginStage::Ended, ends);
        }
        Ok(())
    }

    fn told_login(&mut self, login: LoginId, stage: LoginStage, ends: bool) {
        let position = self.journal().position();
        self.history.logins.push(At::new(position, ToldLogin { login, stage, ends }));
    }

    /// Has all sequencers decide at once, and notes what they say.
    async fn decide(&mut self, commands: Vec<Command>) -> Result<()> {
        let mut batches: [Vec<Command>; PARTITIONS as usize] = Default::default();
        for command in commands {
            let partition = command.partition(PARTITIONS);
            batches[usize::from(partition.get())].push(command);
        }
        let [first, second] = batches;
        let before = self.journal().position();
        let journal = self.recording.journal();
        let server = self.server.as_mut().context("the server runs")?;
        let [one, other] = &mut server.owners;
        let said =
            tokio::try_join!(one.decide(first, 0, journal), other.decide(second, 1, journal))?;
        for (partition, mut said) in [said.0, said.1].into_iter().enumerate() {
            if self.acks == Acks::BeforeCommit {
                said.position = before;
            }
            self.note(partition, said)?;
        }
        Ok(())
    }

    fn note(&mut self, partition: usize, said: At<(LogPosition, Vec<Effect>)>) -> Result<()> {
        let At { position, what: (next, effects), .. } = said;
        self.history.consumed.push(At::new(position, Consumed { partition, next }));
        for effect in effects {
            match effect {
                Effect::Answer { origin, frame: Some(frame) }
                    if origin.tag >= TAG_FIRST && origin.tag != NO_MESSAGE =>
                {
                    self.note_ask(position, usize::try_from(origin.tag - TAG_FIRST)?, &frame)?;
                }
                Effect::Answer { origin, frame: Some(ServerFrame::Ack(ServerAck::Saved(ack))) } => {
                    self.note_ack(position, usize::try_from(origin.tag)?, &ack)?;
                }
                Effect::Answer { frame: None, .. } => {}
                Effect::Answer { frame: Some(frame), .. } => bail!("a strange answer: {frame:?}"),
                Effect::Deliver {
                    frame: ServerFrame::Ack(ServerAck::Receipt(receipt)), ..
                } => {
                    let is_read = receipt.ack_type == WireReceiptKind::Read;
                    let told = ToldCursor {
                        conversation: receipt.conversation_id,
                        user: receipt.from,
                        delivered: receipt.msg_seq,
                        read: if is_read { receipt.msg_seq } else { Seq::ZERO },
                    };
                    self.history.cursors.push(At::new(position, told));
                }
                Effect::Deliver { .. } => {}
            }
        }
        Ok(())
    }

    fn note_ask(&mut self, position: usize, index: usize, frame: &ServerFrame) -> Result<()> {
        let ask = self.history.asks.get_mut(index).context("an answer to nothing")?;
        match frame {
            ServerFrame::Ack(ServerAck::Saved(ack)) => {
                let (conversation, seq) = (ack.conversation_id, ack.msg_seq);
                let place = Place { conversation, seq, row: ack.server_msg_id };
                let saved = ask.saved.get_or_insert(At::new(position, place));
                ensure!(saved.what == place, "acked first as {saved:?}, and then as {place:?}");
            }
            ServerFrame::Ack(ServerAck::Done(_)) => {
                ask.done.get_or_insert(At::new(position, ()));
            }
            ServerFrame::Error(error) => {
                let is_new = ask.saved.is_none() && ask.done.is_none();
                // What may be done twice may be refused later.
                ensure!(
                    is_new || own::is_done_again(&ask.content),
                    "acked, and then refused: {ask:?}, {error:?}"
                );
                ask.refused = true;
            }
            other => bail!("a strange answer: {other:?}"),
        }
        Ok(())
    }

    fn note_ack(&mut self, position: usize, index: usize, ack: &SavedAck) -> Result<()> {
        let message = self.history.messages.get_mut(index).context("an ack of nothing")?;
        ensure!(ack.client_msg_id.as_str() == message.name, "an ack of another message: {ack:?}");
        ensure!(!ack.body_differs, "the body of {} never changed", message.name);
        let (conversation, seq) = (ack.conversation_id, ack.msg_seq);
        let place = Place { conversation, seq, row: ack.server_msg_id };
        if let Some(saved) = &message.saved {
            let same = ack.duplicate && saved.what == place;
            ensure!(same, "{} was at {:?}, and was acked again: {ack:?}", message.name, saved.what);
            return Ok(());
        }
        message.saved = Some(At::new(position, place));
        // Whoever writes has read what is above, and others take it as told.
        let told = ToldCursor { conversation, user: message.sender, delivered: seq, read: seq };
        self.history.cursors.push(At::new(position, told));
        Ok(())
    }
}

impl Owner {
    /// Decides, and says at which place in the journal the outcome was known.
    async fn decide(
        &mut self,
        commands: Vec<Command>,
        partition: u16,
        journal: &Journal,
    ) -> Result<At<(LogPosition, Vec<Effect>)>> {
        let mut next = self.next_position;
        let partition = Partition::new(partition);
        let logged = commands.into_iter().map(|command| {
            let position = next;
            next = next.next();
            LoggedCommand { position, partition, command }
        });
        let logged = logged.collect();
        let committed = self.sequencer.decide(logged).await?;
        let position = journal.position();
        self.next_position = next;
        Ok(At::new(position, (next, committed.effects)))
    }
}

fn command(actor: UserId, tag: u64, request: Request) -> Command {
    let origin = Origin { node: NodeId::new(1), session: SessionId::new(actor.get()), tag };
    Command { origin, actor, request }
}
