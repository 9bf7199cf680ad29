//! The WebSocket edge: from a socket to the command log, and from committed batches
//! back to sockets.
//!
//! One task per session ([`session`]) owns the socket. Everything for a session goes
//! through its [`outbox`], which is bounded in bytes; [`fanout`] fills outboxes from
//! committed batches and wakes each touched session once per batch. What a message
//! means is decided elsewhere: this crate turns frames into commands, and effects
//! into frames.

mod broadcast;
mod fanout;
mod handshake;
mod metrics;
mod outbox;
mod registry;
mod replacement;
mod sends;
mod session;
mod throttle;
mod unacked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{Json, Response};
use axum::routing::get;
use petrel_directory::Directory;
use petrel_log::CommandLog;
use petrel_logic::Refusal;
use petrel_logic::administration::Sessions;
use petrel_logic::admission::Admission;
use petrel_logic::budget::{Budgets, Rates};
use petrel_logic::call::{Exchange, TurnServers};
use petrel_logic::contacts::Contacts;
use petrel_logic::identity::{Ended, Identity};
use petrel_logic::notices::Notices;
use petrel_logic::presence::Presence;
use petrel_logic::search::Search;
use petrel_logic::sequencer::CommittedBatch;
use petrel_logic::sync::Catchup;
use petrel_logic::typing::Typing;
use petrel_logic::words::WordFilter;
use petrel_protocol::ErrorReason;
use petrel_types::{Clock, Epoch, LoginId, NodeId, OperatingLimits, SessionId, UserId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use fanout::Fanout;
use handshake::refuse;
pub use metrics::Metrics;
use registry::Registry;
use replacement::Ending;
pub use replacement::SessionPolicy;
use throttle::Pace;

/// How long a session may take to say goodbye when the node drains.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// What a gateway needs of the rest of the node.
pub struct Dependencies {
    /// Where commands go.
    pub log: Arc<dyn CommandLog>,
    /// Recognises tokens.
    pub identity: Arc<Identity>,
    /// Answers SYNC and PULL.
    pub catchup: Catchup,
    /// Answers SEARCH.
    pub search: Search,
    /// Reads lists of contacts, and counts applications.
    pub contacts: Arc<Contacts>,
    /// Is told who is online.
    pub directory: Arc<dyn Directory>,
    /// Says who is to be told of it.
    pub presence: Arc<Presence>,
    /// Says who is to be told that somebody types.
    pub typing: Arc<Typing>,
    /// Knows what becomes of calls.
    pub calls: Arc<Exchange>,
    /// The servers by which devices in a call reach each other.
    pub turn: Arc<TurnServers>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The store's epoch, for AUTH_OK.
    pub epoch: Epoch,
    /// How much may be under way at once.
    pub admission: Arc<Admission>,
    /// What each user may ask for, over all sessions.
    pub users: Arc<Budgets<UserId>>,
    /// Looks for words in what is sent.
    pub words: Arc<WordFilter>,
    /// Has what those are told who connect.
    pub notices: Arc<Notices>,
    /// Where it counts what it does.
    pub metrics: Metrics,
}

/// The bounds of a gateway, and its names.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The node that sessions belong to.
    pub node: NodeId,
    /// The first session id to hand out. Random, so that ids are not met again after
    /// a restart.
    pub first_session: SessionId,
    /// Connections beyond this are refused with 503.
    pub connections_max: u64,
    /// Extra web origins whose pages may connect, as `https://chat.example.com`. Pages
    /// from the gateway's own host name always may.
    pub allowed_origins: Vec<String>,
    /// How much may be asked for.
    pub limits: OperatingLimits,
    /// How many sessions a user may have.
    pub session_policy: SessionPolicy,
    /// How long a session goes on after its token has expired.
    pub expiry_grace: Duration,
    /// When a silent peer is asked whether it is there, and when it is given up.
    pub heartbeat: Heartbeat,
    /// How much may wait for a peer that reads slowly, and when it is given up.
    pub slow_readers: SlowReaders,
}

/// What a peer may do to the node that reads slowly, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowReaders {
    /// How much may wait for it.
    pub marks: WaterMarks,
    /// When a write has made no progress for this long, its session is closed with 4508.
    pub close_after: Duration,
}

/// How many bytes may wait to be written to one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaterMarks {
    /// Above this, pushes are no longer queued but become gaps.
    pub high_bytes: u32,
    /// At or below this, gaps are told and pushes are queued again. At most the other.
    pub low_bytes: u32,
}

impl Default for WaterMarks {
    /// The marks of the reference system mini-im: some thousand messages of usual size.
    fn default() -> Self {
        Self { high_bytes: 512 * 1024, low_bytes: 256 * 1024 }
    }
}

impl Default for SlowReaders {
    /// Three seconds without any progress are many round trips of the worst mobile network.
    fn default() -> Self {
        Self { marks: WaterMarks::default(), close_after: Duration::from_secs(3) }
    }
}

/// How silent a peer may be. Any frame breaks the silence, a pong included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// After this long a silent peer is sent a ping, and again after each such time.
    pub ping_interval: Duration,
    /// After this long its session is closed with 4504. Must be longer than the interval.
    pub idle_timeout: Duration,
}

impl Default for Heartbeat {
    /// Half a minute keeps the usual NATs and proxies from forgetting a connection (nginx:
    /// 60 s), and a phone's radio mostly asleep; two lost pings are forgiven.
    fn default() -> Self {
        Self { ping_interval: Duration::from_secs(30), idle_timeout: Duration::from_secs(90) }
    }
}

/// The sessions of one node. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    dependencies: Dependencies,
    config: GatewayConfig,
    registry: Registry,
    pace: Pace,
    next_session: AtomicU64,
    connections: AtomicU64,
    connections_max: AtomicU64,
    /// What sessions may do, for whoever tells them.
    rates: watch::Sender<Rates>,
    draining: CancellationToken,
    sessions: TaskTracker,
}

impl Gateway {
    /// A gateway without sessions.
    pub fn new(dependencies: Dependencies, config: GatewayConfig) -> Self {
        let next_session = AtomicU64::new(config.first_session.get());
        let pace = Pace::new(Arc::clone(&dependencies.users), &config.limits);
        let connections_max = AtomicU64::new(config.connections_max);
        let (rates, _) = watch::channel(pace.of_session());
        let shared = Arc::new(Shared {
            pace,
            connections_max,
            rates,
            dependencies,
            config,
            registry: Registry::default(),
            next_session,
            connections: AtomicU64::new(0),
            draining: CancellationToken::new(),
            sessions: TaskTracker::new(),
        });
        let told = Arc::downgrade(&shared);
        shared.dependencies.identity.tell_revocations(move |user, ended| {
            let Some(shared) = told.upgrade() else { return };
            match ended {
                Ended::Login(login) => shared.registry.end_login(user, login),
                Ended::All => shared.registry.end_user(user, Ending::Revoked),
                Ended::Account => shared.registry.end_user(user, Ending::Disabled),
            }
        });
        Self { shared }
    }

    /// The routes of the gateway port: `/ws`, `/healthz` and `/stats`.
    pub fn routes(&self) -> Router {
        self.websocket_route()
            .route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
            .merge(Router::new().route("/stats", get(stats)).with_state(self.clone()))
            .method_not_allowed_fallback(wrong_method)
            .fallback(not_found)
    }

    /// `/ws` alone, for the HTTP port, where same-origin pages want it.
    pub fn websocket_route(&self) -> Router {
        Router::new()
            .route("/ws", get(handshake::upgrade))
            .method_not_allowed_fallback(wrong_method)
            .with_state(self.clone())
    }

    /// Brings what committed batches have to say to everybody it concerns, until no more
    /// come. Batches must come in the order of their commits. `before` sees each first.
    ///
    /// Takes no further batch while too much waits to be told, so that the sequencer waits,
    /// and in the end senders.
    pub async fn fan_out(
        &self,
        mut batches: mpsc::Receiver<CommittedBatch>,
        mut before: impl FnMut(&mut CommittedBatch),
    ) {
        let head_members = usize::try_from(self.shared.config.limits.head_members).unwrap_or(0);
        let metrics = &self.shared.dependencies.metrics;
        let mut fanout = Fanout::new(&self.shared.registry, metrics, head_members);
        loop {
            let next = if fanout.is_idle() {
                batches.recv().await
            } else if fanout.has_room() {
                batches.try_recv().ok()
            } else {
                None
            };
            match next {
                Some(mut batch) => {
                    before(&mut batch);
                    self.shared.dependencies.presence.affected(&batch.affected);
                    self.shared.dependencies.typing.affected(&batch.affected);
                    self.shared.dependencies.calls.affected(&batch.affected);
                    fanout.take(batch);
                }
                None if fanout.is_idle() => return,
                None => {}
            }
            metrics.fanout_waiting.set(i64::try_from(fanout.waiting()).unwrap_or(i64::MAX));
            if !fanout.is_idle() {
                fanout.advance();
                // Those who have something to write now come before the next step.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Tells the sessions that watch others who comes and goes, for ever.
    pub async fn tell_presence(&self) {
        let presence = Arc::clone(&self.shared.dependencies.presence);
        presence.run(&mut session::Bringing::new(&self.shared.registry)).await;
    }

    /// Ends calls whose time is over, for ever.
    pub async fn look_after_calls(&self) {
        self.shared.dependencies.calls.run(&*self.shared).await;
    }

    /// Closes every session with a time to come back, and waits for them to go, for
    /// at most a few seconds. New connections are refused from now on.
    pub async fn drain(&self) {
        self.shared.dependencies.calls.stop(&*self.shared);
        self.shared.draining.cancel();
        self.shared.sessions.close();
        if tokio::time::timeout(DRAIN_PATIENCE, self.shared.sessions.wait()).await.is_err() {
            tracing::warn!(
                left = self.shared.sessions.len(),
                "sessions did not close in time and are dropped"
            );
        }
        self.shared.dependencies.calls.finish().await;
    }

    /// Has other bounds in force from now on: how many connections there may be, what a session
    /// may ask for, and for how long it may ask for more. Connections that are open stay, and
    /// are told by [`tell_limits`](Self::tell_limits) how fast they may send.
    pub fn set_limits(&self, connections_max: u64, limits: &OperatingLimits) {
        self.shared.connections_max.store(connections_max, Ordering::Relaxed);
        self.shared.pace.set(limits);
        let rates = Rates::of_session(limits);
        self.shared.rates.send_if_modified(|told| {
            let is_news = !told.are_those_of(&rates);
            *told = rates;
            is_news
        });
    }

    /// What waits to be written to sessions, in bytes, over all of them.
    pub fn outbox_bytes(&self) -> u64 {
        self.shared.registry.outbox_bytes()
    }

    /// Open connections, authenticated or not.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Sessions for Gateway {
    fn sessions_of(&self, user: UserId) -> u64 {
        let mut sessions = 0;
        self.shared.registry.for_each_session(user, |_| sessions += 1);
        sessions
    }

    fn sessions(&self) -> u64 {
        u64::try_from(self.shared.dependencies.metrics.sessions.get()).unwrap_or(0)
    }
}

impl Shared {
    fn head_interval(&self) -> Duration {
        Duration::from_millis(self.config.limits.head_interval_ms.into())
    }

    fn admission(&self) -> &Admission {
        &self.dependencies.admission
    }

    /// Why a session that has just begun, or has another token, is to end: whoever ended it
    /// since the token was looked at may not have found it.
    fn ending_of(&self, user: UserId, login: Option<LoginId>) -> Option<Ending> {
        let identity = &self.dependencies.identity;
        if identity.is_disabled(user) {
            return Some(Ending::Disabled);
        }
        login.is_some_and(|login| identity.is_revoked(login)).then_some(Ending::Revoked)
    }

    fn new_session(&self) -> SessionId {
        SessionId::new(self.next_session.fetch_add(1, Ordering::Relaxed))
    }
}

async fn not_found() -> Response {
    refuse(Refusal::new(ErrorReason::NotFound, "there is nothing at this path"))
}

async fn wrong_method() -> Response {
    refuse(Refusal::new(ErrorReason::MethodNotAllowed, "the path does not take this method"))
}

async fn stats(State(gateway): State<Gateway>) -> Json<serde_json::Value> {
    let dependencies = &gateway.shared.dependencies;
    Json(serde_json::json!({
        "total_connections": gateway.connections(),
        "users_online": dependencies.directory.users_online(),
        "commands_queued": dependencies.log.depth(),
        "limits_met": dependencies.metrics.limits_met().collect::<BTreeMap<_, _>>(),
    }))
}
