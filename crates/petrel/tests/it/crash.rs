//! `kill -9` under load: what was acknowledged is there once, in order, without a gap.
//!
//! Talkers chat with each other, many messages in flight, while the server is killed
//! again and again and started on what it left behind. After each restart they send
//! again, under the same names, whatever was not acknowledged, and go on. Readers keep
//! a copy of everything, by pushes while they are connected and by SYNC and PULL after
//! each restart. In the end every timeline is pulled as both of its members, and the
//! checkers compare it with everything that was sent, acknowledged, pushed and copied.
//!
//! Beside them stewards change groups and what is said in them, one change at a time, so that
//! the acks say how each must be: members, texts, replies, reactions, pins, files. Neighbours
//! change what they are to each other, and what a chat is to them. Chatters speak in all
//! groups, whether or not they are members at the moment; observers keep copies. In the end
//! everybody must have seen what was theirs to see, and nothing else, and no text that was
//! recalled or edited away is in any file.
//!
//! A kill comes as soon as a number of acks has been seen since the start: while acks
//! are on their way. The numbers come from a seed that a failure names:
//!
//! - `PETREL_CRASH_SEED`: the seed.
//! - `PETREL_CRASH_KILLS`: how often the server is killed; 5 by default.

mod affairs;
mod audit;
mod chatter;
mod neighbours;
mod observer;
mod orders;
mod random;
mod reader;
mod steward;
mod talker;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use petrel_protocol::frame::{ClientAckType, ClientFrame};
use petrel_protocol::http::LoggedIn;
use petrel_testkit::checker::group::GroupHistory;
use petrel_testkit::checker::{History, Timeline, View, same};
use petrel_testkit::client::{Client, Connect, Disconnected, chat};
use petrel_testkit::http::Http;
use petrel_testkit::mint::Mint;
use petrel_testkit::server::{Launcher, Server, Signal};
use petrel_types::{ConversationId, Epoch, UserId};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::files::{self, Uploader};
use crate::support::{ALICE, BOB, PETREL, launcher};
use chatter::{Chatted, Chatter};
use neighbours::{Lived, Neighbours};
use observer::Observer;
use random::Random;
use reader::Reader;
use steward::{Ruled, Steward};
use talker::{Talked, Talker};

const TALKERS: u64 = 8;
const READERS: u64 = 2;
const STEWARDS: u64 = 3;
const CHATTERS: u64 = 5;
const OBSERVERS: usize = 2;
const NEIGHBOURS: u64 = 3;
/// How many of them talk to each other.
const NEIGHBOURS_WHO_SPEAK: u64 = 2;
const KILLS: u64 = 5;

/// How many acks are seen between a start and a kill.
const ACKS_BETWEEN_KILLS: Range<u64> = 1..1_500;

/// How many of them stewards see, at every other kill.
const CHANGES_BETWEEN_KILLS: Range<u64> = 1..40;

/// How many acks are seen after the last start, by stewards.
const CHANGES_AT_THE_END: u64 = 60;

/// Far more than it takes: something hangs.
const DEADLINE: Duration = Duration::from_secs(90);

/// And how much longer with each kill.
const DEADLINE_PER_KILL: Duration = Duration::from_secs(4);

/// Where the server is, and what is expected of it.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Which start of the server this is.
    number: u64,
    gateway: SocketAddr,
    http: SocketAddr,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It will be killed; a connection that breaks is no surprise.
    Doomed,
    /// It stays; a connection that breaks is an error.
    Last,
    /// Talkers have what they have in flight acknowledged, and leave.
    Finishing,
    /// Everything is stored: readers catch up, and leave.
    Over,
}

/// What talkers and readers share.
#[derive(Debug)]
struct World {
    runs: watch::Receiver<Run>,
    mint: Mint,
    epoch: Epoch,
    acks: AckCount,
    /// Those that stewards have seen.
    changes: AckCount,
    /// The groups that have been founded.
    groups: watch::Sender<Vec<ConversationId>>,
}

/// Counts acks and says when enough have been seen.
#[derive(Debug)]
struct AckCount {
    seen: AtomicU64,
    target: AtomicU64,
    reached: Notify,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_sigkill_once_in_order_without_gaps() -> Result<()> {
    let seed = match env::var("PETREL_CRASH_SEED") {
        Ok(text) => text.parse().context("PETREL_CRASH_SEED is no number")?,
        Err(_) => random::seed_of_this_run(),
    };
    let kills = match env::var("PETREL_CRASH_KILLS") {
        Ok(text) => text.parse().context("PETREL_CRASH_KILLS is no number")?,
        Err(_) => KILLS,
    };
    println!("PETREL_CRASH_SEED={seed} PETREL_CRASH_KILLS={kills}");
    let deadline = DEADLINE + DEADLINE_PER_KILL * u32::try_from(kills)?;
    let done = tokio::time::timeout(deadline, crash_and_check(seed, kills))
        .await
        .context("it hangs")
        .and_then(|checked| checked)
        .with_context(|| format!("PETREL_CRASH_SEED={seed} PETREL_CRASH_KILLS={kills}"))?;
    println!("{done}");
    Ok(())
}

/// Returns what was done, in words.
async fn crash_and_check(seed: u64, kills: u64) -> Result<String> {
    let since = Instant::now();
    let launcher = launcher()?.bench_issuer();
    let mut random = Random::new(seed);
    let mut server = launcher.start().await?;
    let epoch = epoch_of(&server).await?;
    let run = |server: &Server, number, phase| {
        let (gateway, http) = (server.gateway_address(), server.http_address());
        Run { number, gateway, http, phase }
    };
    let phase_of = |number| {
        if number < kills { Phase::Doomed } else { Phase::Last }
    };
    let (runs, watched) = watch::channel(run(&server, 0, phase_of(0)));
    let world = Arc::new(World {
        runs: watched,
        mint: server.mint()?,
        epoch,
        acks: AckCount::default(),
        changes: AckCount::default(),
        groups: watch::Sender::default(),
    });

    let mut crowd = Crowd::default();
    for number in 0..TALKERS {
        let talker = Talker::new(Arc::clone(&world), talker_id(number), peers_of(number), seed);
        crowd.talking.spawn(talker.talk());
    }
    let mut reading = JoinSet::new();
    for number in 0..READERS {
        reading.spawn(Reader::new(Arc::clone(&world), talker_id(number * 3)).read());
    }
    let mut observing = JoinSet::new();
    for number in 0..STEWARDS {
        let user = UserId::new(1_000_100 + number);
        crowd.ruling.spawn(Steward::new(Arc::clone(&world), user, seed).rule());
    }
    for user in chatter_ids() {
        crowd.chatting.spawn(Chatter::new(Arc::clone(&world), user, seed).chat());
    }
    for user in chatter_ids().take(OBSERVERS) {
        observing.spawn(Observer::new(Arc::clone(&world), user).observe());
    }

    for number in 0..NEIGHBOURS {
        let users = [0, 1].map(|which| UserId::new(1_000_300 + 2 * number + which));
        let speak = number < NEIGHBOURS_WHO_SPEAK;
        crowd.living.spawn(Neighbours::new(Arc::clone(&world), users, seed, speak).live());
        for user in users {
            observing.spawn(Observer::new(Arc::clone(&world), user).observe());
        }
    }

    for number in 0..kills {
        let (count, acks) = match number % 2 {
            0 => (&world.acks, random.within(ACKS_BETWEEN_KILLS)),
            _ => (&world.changes, random.within(CHANGES_BETWEEN_KILLS)),
        };
        server = enough_acks(acks, count, server, &mut crowd).await?;
        server.kill().await?;
        server = launcher.start().await?;
        runs.send_replace(run(&server, number + 1, phase_of(number + 1)));
    }
    server = enough_acks(CHANGES_AT_THE_END, &world.changes, server, &mut crowd).await?;
    runs.send_modify(|run| run.phase = Phase::Finishing);
    let mut history = History::default();
    let mut repeated = 0;
    while let Some(talked) = crowd.talking.join_next().await {
        let talked = talked??;
        repeated += talked.duplicates;
        history.sent.extend(talked.sent);
        history.acks.extend(talked.acks);
        history.pushes.extend(talked.pushes);
    }
    let ruled: Vec<_> = crowd.ruling.join_all().await.into_iter().collect::<Result<_>>()?;
    let chatted: Vec<_> = crowd.chatting.join_all().await.into_iter().collect::<Result<_>>()?;
    let lived: Vec<_> = crowd.living.join_all().await.into_iter().collect::<Result<_>>()?;
    runs.send_modify(|run| run.phase = Phase::Over);
    let observed: Vec<_> = observing.join_all().await.into_iter().collect::<Result<_>>()?;
    // What a reader complains about is told together with what the checkers make of it.
    let (mut copies, mut complaints) = (Vec::new(), Vec::new());
    while let Some(copy) = reading.join_next().await {
        match copy? {
            Ok(copy) => copies.push(copy),
            Err(error) => complaints.push(format!("{error:#}\n")),
        }
    }

    // Whatever is asked from here on was written before a kill, and nothing of it again after.
    server.kill().await?;
    server = launcher.start().await?;
    ensure!(
        epoch_of(&server).await? == epoch,
        "the epoch changed: nothing was lost, so it must not"
    );
    let timelines = pull_everything(&server, &mut history).await?;
    let mut faults = history.check();
    for (reader, copy) in &copies {
        for (conversation, timeline) in &timelines {
            if timeline.is_of(*reader) {
                let copied = copy.get(conversation).cloned().unwrap_or(Timeline {
                    conversation: *conversation,
                    head: Default::default(),
                    events: Vec::new(),
                });
                faults.0.extend(same(&timeline.timeline, &copied, *reader));
            }
        }
    }
    ensure!(faults.is_empty() && complaints.is_empty(), "{}{faults}", complaints.concat());
    for lived in &lived {
        affairs::check(&server, lived, &observed).await?;
    }
    let files: Vec<_> = ruled.iter().flat_map(|ruled| ruled.files.clone()).collect();
    let groups = audit::group_histories(&server, ruled, &chatted, &observed).await?;
    let faults: Vec<_> = groups.iter().flat_map(|group| group.check()).collect();
    ensure!(faults.is_empty(), "{} faults:\n{}", faults.len(), shown(&faults));
    audit::check_notices(&server, &groups).await?;
    let (kept, gone) = audit::check_files(&server, &groups, &files).await?;
    // Once more in the middle of things, and then everything on disk must fit together.
    server.kill().await?;
    sound(launcher.data()).await?;
    let erased = check_erasure(&launcher, &groups).await?;
    ensure!(
        history.acks.len() == history.sent.len(),
        "{} messages were sent, {} acknowledged",
        history.sent.len(),
        history.acks.len()
    );
    let own: u64 = lived.iter().map(Lived::changes).sum();
    Ok(format!(
        "{} messages in {} conversations, {kills} kills, {repeated} acks said again, {} events in \
         {} groups, {erased} texts erased, {kept} files kept and {gone} gone, \
         {own} changes of one's own, {:?}",
        history.sent.len(),
        timelines.len(),
        groups.iter().map(|group| group.views[&group.owner].len()).sum::<usize>(),
        groups.len(),
        since.elapsed()
    ))
}

/// Starts the server once more, lets it end in peace, and looks into its files.
async fn check_erasure(launcher: &Launcher, groups: &[GroupHistory]) -> Result<usize> {
    let exit = launcher.start().await?.stop(Signal::Terminate).await?;
    ensure!(exit.code == Some(0), "no clean end: {exit:?}");
    audit::check_erasure(launcher.data(), groups)
}

/// The first of many faults.
fn shown(faults: &[String]) -> String {
    let first: Vec<_> = faults.iter().take(8).map(String::as_str).collect();
    first.join("\n")
}

/// Makes sure that `petrel verify` has nothing to say.
async fn sound(data: &Path) -> Result<()> {
    let arguments = [OsStr::new("verify"), OsStr::new("--data-dir"), data.as_os_str()];
    let exit = petrel_testkit::server::run(PETREL, &arguments).await?;
    ensure!(exit.code == Some(0), "petrel verify: {exit:?}");
    Ok(())
}

/// Waits until this many acks have been counted from now on, and returns the server. It is
/// an error if the server ends before it is killed, or a talker gives up; then it shows
/// what the server said.
async fn enough_acks(
    acks: u64,
    count: &AckCount,
    mut server: Server,
    crowd: &mut Crowd,
) -> Result<Server> {
    tokio::select! {
        () = count.more(acks) => Ok(server),
        exit = server.ended() => {
            let exit = exit?;
            bail!("the server ended by itself, with {:?}:\n{}", exit.code, exit.stderr)
        }
        error = crowd.gives_up() => {
            let exit = server.kill().await?;
            Err(error.context(format!("the server said:\n{}", exit.stderr)))
        }
    }
}

/// Those who make work for the server, each until told to finish.
#[derive(Default)]
struct Crowd {
    talking: JoinSet<Result<Talked>>,
    ruling: JoinSet<Result<Ruled>>,
    chatting: JoinSet<Result<Chatted>>,
    living: JoinSet<Result<Lived>>,
}

impl Crowd {
    /// Waits until somebody leaves who was not told to.
    async fn gives_up(&mut self) -> anyhow::Error {
        let left = tokio::select! {
            Some(left) = self.talking.join_next() => left.map(|left| left.err()),
            Some(left) = self.ruling.join_next() => left.map(|left| left.err()),
            Some(left) = self.chatting.join_next() => left.map(|left| left.err()),
            Some(left) = self.living.join_next() => left.map(|left| left.err()),
            else => return anyhow!("everybody left early"),
        };
        match left {
            Ok(error) => error.unwrap_or_else(|| anyhow!("somebody left early")),
            Err(panic) => panic.into(),
        }
    }
}

/// A timeline that has been pulled, and its members.
struct Pulled {
    members: Vec<UserId>,
    timeline: Timeline,
}

impl Pulled {
    fn is_of(&self, user: UserId) -> bool {
        self.members.contains(&user)
    }
}

/// Pulls every timeline as each of its members.
async fn pull_everything(
    server: &Server,
    history: &mut History,
) -> Result<BTreeMap<ConversationId, Pulled>> {
    let mut timelines = BTreeMap::new();
    for number in 0..TALKERS {
        let member = talker_id(number);
        let mut client = server.connect(member, "auditor").await?;
        for entry in client.sync_all(None).await?.conversations {
            let timeline = client.pull_all(entry.conversation_id).await?;
            ensure!(
                entry.head_seq == timeline.head,
                "SYNC says that conversation {} ends at {}, PULL says {}",
                entry.conversation_id,
                entry.head_seq,
                timeline.head
            );
            history.views.push(View { member, timeline: timeline.clone() });
            timelines.insert(
                entry.conversation_id,
                Pulled { members: std::iter::once(member).chain(entry.peer).collect(), timeline },
            );
        }
    }
    for (conversation, pulled) in &timelines {
        let views =
            history.views.iter().filter(|view| view.timeline.conversation == *conversation).count();
        ensure!(
            views == pulled.members.len(),
            "conversation {conversation} of {:?} is seen by {views}",
            pulled.members
        );
    }
    Ok(timelines)
}

async fn epoch_of(server: &Server) -> Result<Epoch> {
    let client = server.connect(talker_id(0), "auditor").await?;
    let auth_ok = client.auth_ok().context("connected without AUTH_OK")?;
    Ok(auth_ok.epoch)
}

fn talker_id(number: u64) -> UserId {
    UserId::new(1_000_000 + number % TALKERS)
}

/// Those who speak in groups.
fn chatter_ids() -> impl Iterator<Item = UserId> {
    (0..CHATTERS).map(|number| UserId::new(1_000_200 + number))
}

/// A partner, and two in a ring: every conversation goes both ways.
fn peers_of(number: u64) -> Vec<UserId> {
    vec![talker_id(number ^ 1), talker_id(number + 2), talker_id(number + TALKERS - 2)]
}

impl World {
    /// Waits for the first run after `last`.
    async fn run_after(&self, last: Option<u64>) -> Result<Run> {
        let mut runs = self.runs.clone();
        let is_new = |run: &Run| last.is_none_or(|last| run.number > last);
        Ok(*runs.wait_for(is_new).await?)
    }

    /// Waits for a phase.
    async fn becomes(&self, phase: Phase) -> Result<()> {
        self.runs.clone().wait_for(|run| run.phase == phase).await?;
        Ok(())
    }

    fn phase(&self) -> Phase {
        self.runs.borrow().phase
    }

    /// Connects a device; the epoch must be the one of the beginning.
    async fn connect(&self, run: Run, user: UserId, device: &str) -> Result<Client> {
        let client =
            Connect::to(run.gateway).device(device).authenticate(&self.mint.token(user)).await?;
        let epoch = client.auth_ok().map(|auth_ok| auth_ok.epoch);
        ensure!(epoch == Some(self.epoch), "the epoch changed: {epoch:?}");
        Ok(client)
    }

    /// Uploads a file that holds a text; returns its id.
    async fn upload(&self, run: Run, user: UserId, text: &str) -> Result<String> {
        let uploader = Uploader { http: Http::new(run.http), token: self.mint.token(user) };
        // Whatever breaks it off, from this side it is a connection that has ended.
        let path = "/api/files?name=some.bin";
        let answer = uploader.send("POST", path, &[], text.as_bytes()).await;
        let answer = answer.map_err(|error| anyhow!(Disconnected).context(format!("{error:#}")))?;
        files::id(&answer.text()?.data()?)
    }

    /// Whether an error is no more than the end of a server that was to be killed.
    fn was_killed(&self, run: Run, error: &anyhow::Error) -> bool {
        run.phase == Phase::Doomed && error.is::<Disconnected>()
    }
}

impl AckCount {
    fn saw_one(&self) {
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if seen >= self.target.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    /// Waits for this many more.
    async fn more(&self, acks: u64) {
        let target = self.seen.load(Ordering::SeqCst) + acks;
        self.target.store(target, Ordering::SeqCst);
        while self.seen.load(Ordering::SeqCst) < target {
            self.reached.notified().await;
        }
    }
}

impl Default for AckCount {
    fn default() -> Self {
        Self { seen: AtomicU64::new(0), target: AtomicU64::new(u64::MAX), reached: Notify::new() }
    }
}

#[tokio::test]
async fn a_retry_after_a_crash_gets_the_first_ack_again() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let mut server = launcher.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut acks = Vec::new();
    for number in 0..3 {
        alice.chat(BOB, &format!("m{number}"), "hello").await?;
        acks.push(alice.expect_saved().await?);
    }
    for retry in [true, false] {
        server.kill().await?;
        server = launcher.start().await?;
        let mut alice = server.connect(ALICE, "phone").await?;
        let mut bob = server.connect(BOB, "phone").await?;
        for first in &acks {
            let mut again = chat(BOB, first.client_msg_id.as_str(), "hello");
            if let ClientFrame::SingleChat(chat) = &mut again {
                chat.retry = retry;
            }
            alice.send(&again).await?;
            let second = alice.expect_saved().await?;
            assert!(second.duplicate && !second.body_differs, "{second:?}");
            assert_eq!(
                (second.msg_seq, second.server_msg_id, second.ts),
                (first.msg_seq, first.server_msg_id, first.ts)
            );
        }
        bob.expect_silence().await?;
        let timeline = bob.pull_all(acks[0].conversation_id).await?;
        assert_eq!(timeline.events.len(), acks.len());
    }
    Ok(())
}

#[tokio::test]
async fn users_and_cursors_survive_sigkill() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let ann = server.http().new_user("ann").await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    alice.chat(BOB, "m", "hello").await?;
    let saved = alice.expect_saved().await?;
    bob.expect_chat().await?;
    bob.acknowledge(ClientAckType::Read, saved.conversation_id, 1).await?;
    // A receipt is relayed once it is stored.
    alice.expect_receipt().await?;
    let token = alice.sync_all(None).await?.token;
    server.kill().await?;

    let server = launcher.start().await?;
    let answer = server.http().login("ann", "correct horse").await?;
    let again: LoggedIn = answer.data()?;
    assert_eq!(again.user_id, ann.user_id);
    let mut alice = server.connect(ALICE, "phone").await?;
    let entry = &alice.sync_all(None).await?.conversations[0];
    assert_eq!(entry.peer_read_seq, Some(saved.msg_seq));
    let changed = alice.sync_all(Some(&token)).await?;
    assert!(!changed.resync && changed.conversations.is_empty());
    Ok(())
}
