//! One node: configuration, assembly, start and drain.
//!
//! [`Node::start`] binds the listeners first, so that a taken port is told before
//! anything is touched, then opens the store and wires the parts together. Tests call
//! it just as the binary does.

mod admin;
mod admin_listener;
pub mod config;
pub mod doctor;
mod issuer;
mod listen;
mod machine;
mod operator_socket;
mod recorder;
mod search;
pub mod secrets;
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use petrel_api::{Api, Proxies, RequestIds, RequestLimits};
use petrel_directory::{Directory, InProcessDirectory};
use petrel_files::{FileSettings, Files, LinkKey, StorageError};
use petrel_gateway::{Dependencies, Gateway, GatewayConfig};
use petrel_log::{CommandLog, CommandStream, InProcessLog};
use petrel_logic::activity::Activity;
use petrel_logic::administration::{Adjustable, Administration, History, Limits, Running};
use petrel_logic::admission::Admission;
use petrel_logic::budget::{Budgets, Rates};
use petrel_logic::call::{Exchange, TurnServers};
use petrel_logic::contacts::Contacts;
use petrel_logic::deriver::Deriver;
use petrel_logic::identity::{
    ExternalIssuers, Identity, IssuerError, Issuers, Registration, Surroundings,
};
use petrel_logic::invitation_pace::InvitationPace;
use petrel_logic::notices::Notices;
use petrel_logic::presence::Presence;
use petrel_logic::requester::Requester;
use petrel_logic::retention::Retention;
use petrel_logic::search::Search;
use petrel_logic::sequencer::{CommittedBatch, Rules, Sequencer};
use petrel_logic::sync::Catchup;
use petrel_logic::typing::{self, Typing};
use petrel_logic::words::{WordFile, WordFilter, record_flagged};
use petrel_search::{SearchError, SearchIndex};
use petrel_store::sqlite::{self, SqliteStore};
use petrel_store::{Store, StoreError};
use petrel_types::{Clock, NodeId, Partition, SessionId, SystemClock};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admin::{Admin, AdminError, Ask};
pub use admin_listener::LogControl;
use admin_listener::{AdminListener, Metrics, Sample, Tasks};
use config::Listen;
pub use config::{BenchIssuer, EXPIRY_GRACE, NodeConfig, TurnConfig};
pub use issuer::{IdsConfig, IssuerConfig, IssuerConfigError};
use listen::serve;
use operator_socket::OperatorSocket;
pub use petrel_api::Network;
pub use petrel_files::{Decoder, decode_picture};
pub use petrel_gateway::{Heartbeat, SessionPolicy};
pub use petrel_logic::identity::{
    ExternalIssuer, IdentitySettings, Registration as RegistrationMode, ThrottleSettings,
};
use search::Follower;
use secrets::{Issuer, SecretError};
use tls::Tls;
pub use tls::{TlsConfig, TlsError};

/// The embedded engine has one partition: one writer is faster on one disk.
const PARTITION: Partition = Partition::new(0);

/// The embedded engine has one node.
const NODE: NodeId = NodeId::new(1);

/// How many committed batches may wait for the fan-out before the sequencer waits.
const BATCHES_QUEUED_MAX: usize = 16;

/// A shorter secret of TURN servers is refused: whoever guesses it relays at others' cost.
const TURN_SECRET_BYTES_MIN: usize = 16;

/// How long open HTTP requests may take to finish when the node stops.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(3);

/// Why a node does not start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener can't be bound.
    #[error("can't listen on {address} ({what}): {source}{}", bind_hint(source, option))]
    Bind {
        /// What would listen there.
        what: &'static str,
        /// The option that moves it.
        option: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The data directory can't be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The search index can't be used.
    #[error("{0}")]
    Search(#[from] SearchError),
    /// A secret can't be read or made.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The external issuers can't be trusted.
    #[error("{0}")]
    Issuer(#[from] IssuerError),
    /// The description of an external issuer can't be read.
    #[error("{0}")]
    IssuerConfig(#[from] IssuerConfigError),
    /// The certificate can't be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// Files can't be kept where they should be.
    #[error("{0}")]
    Files(#[from] StorageError),
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(String),
    /// The operating system refuses something basic.
    #[error("the operating system refused {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
}

/// Why a running node ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What is on disk is uncertain, or another process owns it now. Nothing was
    /// acknowledged that is not on disk.
    #[error("stopped, because the store must not be written any more: {0}")]
    Store(#[from] StoreError),
    /// The sequencer's thread ended without a word.
    #[error("stopped, because the sequencer ended unexpectedly")]
    Sequencer,
}

/// A started node.
pub struct Node {
    http_address: SocketAddr,
    gateway_address: SocketAddr,
    admin_address: Option<SocketAddr>,
    tls: Option<Tls>,
    reload: Arc<Notify>,
    gateway: Gateway,
    log: Arc<dyn CommandLog>,
    store: Arc<dyn Store>,
    index: Option<Arc<dyn SearchIndex>>,
    follower: Option<Follower>,
    online: Arc<InProcessDirectory>,
    stopping: CancellationToken,
    connections: TaskTracker,
    sequencer: oneshot::Receiver<Result<(), StoreError>>,
}

impl Node {
    /// Binds, opens, assembles and begins to serve. `log` is for the admin listener.
    pub async fn start(config: NodeConfig, log: LogControl) -> Result<Self, StartError> {
        config.check()?;
        let listeners = Listeners::bind(&config)?;
        let metrics = Arc::new(Metrics::new());
        let options = sqlite::Options { metrics: metrics.store.clone(), ..Default::default() };
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_with(&config.data_directory, options)?);
        let index = search::open(&config, store.epoch())?;
        let issuers = issuers(&config)?;
        let tls = Tls::new(&config.tls, &config.data_directory, &SystemClock)?;
        let admin = AdminListener { metrics, tasks: Tasks::default(), log };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self::assemble(config, listeners, (store, index), issuers, tls, admin, clock).await
    }

    async fn assemble(
        config: NodeConfig,
        listeners: Listeners,
        (store, index): (Arc<dyn Store>, Option<Arc<dyn SearchIndex>>),
        issuers: Issuers,
        tls: Option<Tls>,
        admin: AdminListener,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let (metrics, tasks) = (Arc::clone(&admin.metrics), admin.tasks.clone());
        let (external_users, unstored_local_users) = issuers.external.unstored_users();
        let external_users = external_users || issuers.bench.is_some();
        let chats_need_friendship = config.chats_need_friendship;
        let rules = Rules { external_users, unstored_local_users, chats_need_friendship };
        let (sequencer, next_position) =
            Sequencer::claim(Arc::clone(&store), Arc::clone(&clock), rules, PARTITION).await?;
        let invitation_pace = Arc::new(InvitationPace::new(&config.limits));
        let sequencer = sequencer
            .with_metrics(metrics.sequencer.clone())
            .with_invitation_pace(Arc::clone(&invitation_pace));
        let commands_max = usize::try_from(config.limits.commands_queued).unwrap_or(usize::MAX);
        let (log, mut streams) = InProcessLog::new(&[next_position], commands_max);
        let log: Arc<dyn CommandLog> = Arc::new(log);
        let (effects, batches) = mpsc::channel(BATCHES_QUEUED_MAX);
        let batches_queued = effects.clone().downgrade();
        let stream = streams.pop().expect("one stream for one partition");
        let sequencer = spawn_sequencer(sequencer, stream, effects)?;

        let links = LinkKey::new(issuers.local.derive("file-links"));
        let registration = config.effective_registration();
        let registrations_per_address = config.identity.throttle.free_registrations;
        let settings = IdentitySettings { registration, ..config.identity };
        let identity =
            Identity::open(Arc::clone(&store), Arc::clone(&clock), issuers, settings).await?;
        let identity = Arc::new(identity);
        // Room for 2^31 sessions before the next start could meet this one's; and none is
        // `Origin::REQUESTER`.
        let first_session = (random()? >> 2).max(2);
        let (words, flagged) = WordFilter::new(metrics.words.clone());
        identity.look_for_words(Arc::clone(&words));
        let (notices, said) = Notices::new();
        let catchup = Catchup::new(Arc::clone(&store));
        let contacts = Arc::new(Contacts::new(Arc::clone(&store)));
        let search = Search::new(Arc::clone(&store), index.clone(), metrics.search.clone());
        let released = Arc::new(Notify::new());
        let files = Files::open(
            petrel_files::Dependencies {
                store: Arc::clone(&store),
                catchup: catchup.clone(),
                words: Arc::clone(&words),
                clock: Arc::clone(&clock),
                links,
                metrics: metrics.files.clone(),
                released: Arc::clone(&released),
            },
            FileSettings {
                decoder: config.picture_decoder,
                ..config.files.settings(&config.data_directory).map_err(StartError::Config)?
            },
        )
        .await?;
        tasks.spawn("file collector", Arc::clone(&files).collect());
        // Users ask by sockets and by HTTP, and it counts together.
        let start = tokio::time::Instant::now().into_std();
        let users = Arc::new(Budgets::new(Rates::of_user(&config.limits), start));
        let admission = Arc::new(Admission::new(&config.limits, &metrics.admission));
        let online = Arc::new(directory(&config.data_directory, &clock)?);
        let directory: Arc<dyn Directory> = Arc::clone(&online) as _;
        let requester = Requester::new(Arc::clone(&log), NODE).with_words(Arc::clone(&words));
        let requester = Arc::new(requester);
        let calls = Arc::new(Exchange::new(
            Arc::clone(&store),
            Arc::clone(&requester),
            rules,
            metrics.calls.clone(),
        ));
        let turn = Arc::new(turn_servers(&config.turn)?);
        let presence = Arc::new(Presence::new(
            Arc::clone(&store),
            Arc::clone(&directory),
            config.presence,
            metrics.presence.clone(),
        ));
        let typing =
            typing::Settings { members_max: config.limits.typing_members, chats_need_friendship };
        let gateway = Gateway::new(
            Dependencies {
                log: Arc::clone(&log),
                identity: Arc::clone(&identity),
                catchup: catchup.clone(),
                search: search.clone(),
                contacts: Arc::clone(&contacts),
                directory: Arc::clone(&directory),
                presence: Arc::clone(&presence),
                typing: Arc::new(Typing::new(Arc::clone(&store), typing)),
                calls: Arc::clone(&calls),
                turn: Arc::clone(&turn),
                clock: Arc::clone(&clock),
                epoch: store.epoch(),
                admission: Arc::clone(&admission),
                users: Arc::clone(&users),
                words: Arc::clone(&words),
                notices: Arc::clone(&notices),
                metrics: metrics.gateway.clone(),
            },
            GatewayConfig {
                node: NODE,
                first_session: SessionId::new(first_session),
                connections_max: config.connections_max,
                allowed_origins: config.allowed_origins.clone(),
                limits: config.limits.clone(),
                session_policy: config.session_policy,
                expiry_grace: config.expiry_grace,
                heartbeat: config.heartbeat,
                slow_readers: config.slow_readers,
            },
        );
        let derived = Arc::new(Notify::new());
        let committed = Arc::new(Notify::new());
        let activity = Arc::new(Activity::new());
        identity.tell_activity(Arc::clone(&activity));
        let outcome = Outcome {
            gateway: gateway.clone(),
            requester: Arc::clone(&requester),
            committed: Arc::clone(&committed),
            activity: Arc::clone(&activity),
        };
        let deliver = outcome.deliver(batches, Arc::clone(&derived), released);
        tasks.spawn("fan-out", deliver);
        let told = gateway.clone();
        tasks.spawn("presence", async move { told.tell_presence().await });
        let rung = gateway.clone();
        tasks.spawn("calls", async move { rung.look_after_calls().await });
        tasks.spawn("call records", async move { calls.record().await });
        tasks.spawn("last seen", save_last_seen(Arc::clone(&online)));
        tasks.spawn("deriver", Deriver::new(Arc::clone(&store), Arc::clone(&log)).run(derived));
        let numbers = metrics.search.clone();
        let follower = match &index {
            Some(index) => Some(Follower::start(&store, index, committed, numbers)?),
            None => None,
        };
        if let Some(keep) = config.keep {
            let clock = Arc::clone(&clock);
            let retention = Retention::new(Arc::clone(&store), Arc::clone(&log), clock, keep);
            tasks.spawn("retention", retention.run());
        }
        let (sampled, queue) = (gateway.clone(), Arc::clone(&log));
        metrics.sample_with(move || Sample {
            connections: sampled.connections(),
            users_online: directory.users_online() as u64,
            outbox_bytes: sampled.outbox_bytes(),
            commands_queued: queue.depth() as u64,
            batches_queued: batches_queued
                .upgrade()
                .map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64),
        });

        let proxies = Arc::new(Proxies::new(config.proxies));
        let limits = RequestLimits::new(&config.limits, users, Arc::clone(&proxies), start);
        let history = Arc::new(History::default());
        let sampling =
            recorder::record(Arc::clone(&metrics), Arc::clone(&history), Arc::clone(&clock));
        tasks.spawn("recorder", sampling);
        let adjustable_limits = {
            let (identity, gateway, limits) =
                (Arc::clone(&identity), gateway.clone(), limits.clone());
            let configured = Adjustable {
                registration: registration.mode(),
                registrations_per_address,
                connections_max: config.connections_max,
                operating: config.limits.clone(),
            };
            let may_take = identity.may_take_registrations();
            Limits::new(configured, may_take, metrics.limits.clone(), move |changed| {
                let registration = Registration::of(changed.registration);
                identity.set_registration(registration, changed.registrations_per_address);
                gateway.set_limits(changed.connections_max, &changed.operating);
                limits.set(&changed.operating);
                invitation_pace.set(&changed.operating);
            })
        };
        let running = Running {
            identity: Arc::clone(&identity),
            requester: Arc::clone(&requester),
            sessions: Arc::new(gateway.clone()),
            words,
            notices,
            limits: adjustable_limits,
            history: Arc::clone(&history),
        };
        let administration =
            Arc::new(Administration::new(Arc::clone(&store), Arc::clone(&clock), Some(running)));
        administration.recall_notices().await?;
        administration.recall_limits().await?;
        let told = gateway.clone();
        tasks.spawn("notices", async move { told.tell_notices(said).await });
        let told = gateway.clone();
        tasks.spawn("limits", async move { told.tell_limits().await });
        tasks.spawn(
            "flagged words",
            record_flagged(flagged, Arc::clone(&store), Arc::clone(&clock)),
        );
        let filter = Arc::clone(&administration);
        let file = config.words_file.map(|file| WordFile::new(file, config.words_mode));
        tasks.spawn("words", async move { filter.keep_up_with_words(file).await });
        let (auditor, keep) = (Arc::clone(&administration), config.audit_keep);
        tasks.spawn("audit", async move { auditor.remove_old_records(keep).await });

        let prefix = u32::try_from(random()? >> 32).unwrap_or_default();
        let request_ids = RequestIds::new(prefix, metrics.http.clone());
        let open_registration = Arc::clone(&identity);
        let housekeeper = Arc::clone(&identity);
        tokio::spawn(async move { housekeeper.remove_expired().await });
        let api = petrel_api::routes(Api {
            identity,
            catchup,
            search,
            contacts,
            presence,
            turn,
            clock: Arc::clone(&clock),
            requester,
            files,
            administration: Arc::clone(&administration),
            admission,
            limits: limits.clone(),
            proxies,
            allowed_origins: config.allowed_origins.into(),
        });
        let api = api.merge(gateway.websocket_route());
        let http_routes = request_ids.layer(limits.layer(api));
        let gateway_routes = request_ids.layer(limits.layer(gateway.routes()));
        let stopping = CancellationToken::new();
        let connections = TaskTracker::new();
        // Among the connections, because the drain waits for it.
        connections.spawn(activity.keep(Arc::clone(&store), Arc::clone(&clock), stopping.clone()));
        let http_address = local_address(&listeners.http)?;
        let gateway_address = local_address(&listeners.gateway)?;
        let admin_address = listeners.admin.as_ref().map(local_address).transpose()?;
        if let Some(socket) = OperatorSocket::bind(&config.data_directory) {
            let serve = socket.serve(
                administration,
                request_ids.clone(),
                stopping.clone(),
                connections.clone(),
            );
            tasks.spawn("operator socket", serve);
        }
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let spawn = |name, listener, acceptor, routes| {
            let serve = serve(listener, acceptor, routes, stopping.clone(), connections.clone());
            tasks.spawn(name, serve);
        };
        spawn("http listener", listeners.http, acceptor.clone(), http_routes);
        spawn("gateway listener", listeners.gateway, acceptor, gateway_routes);
        if let Some((listener, address)) = listeners.admin.zip(admin_address) {
            warn_of_strangers(address);
            spawn("admin listener", listener, None, admin.routes(address));
        }
        let reload = Arc::new(Notify::new());
        if let Some(tls) = tls.clone() {
            tasks.spawn("tls certificate", tls.keep_up(Arc::clone(&reload), stopping.clone()));
        }
        raise_descriptors(config.connections_max);
        if open_registration.registration() == Registration::Closed {
            tracing::info!(
                "registration is closed; `--registration open` opens it, and `petrel admin \
                 create-user` creates a user"
            );
        }
        Ok(Self {
            http_address,
            gateway_address,
            admin_address,
            tls,
            reload,
            gateway,
            log,
            store,
            index,
            follower,
            online,
            stopping,
            connections,
            sequencer,
        })
    }

    /// Where the HTTP API listens.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where the WebSocket gateway listens.
    pub fn gateway_address(&self) -> SocketAddr {
        self.gateway_address
    }

    /// Where metrics and profiles are served, if anywhere.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The SHA-256 of the TLS certificate, as browsers show it; `None` without TLS.
    pub fn tls_fingerprint(&self) -> Option<String> {
        self.tls.as_ref().map(Tls::fingerprint)
    }

    /// Notified, it makes the node read its TLS certificate again.
    pub fn reload(&self) -> Arc<Notify> {
        Arc::clone(&self.reload)
    }

    /// Serves until `shutdown` is done, then drains: sessions are sent away with a
    /// time to come back, what is queued is committed, and the store is closed.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        tokio::select! {
            () = shutdown => {}
            ended = &mut self.sequencer => {
                ended.map_err(|_| RunError::Sequencer)??;
                return Err(RunError::Sequencer);
            }
        }
        tracing::info!(connections = self.gateway.connections(), "draining");
        self.stopping.cancel();
        self.connections.close();
        self.gateway.drain().await;
        save(&self.online).await;
        let _ = tokio::time::timeout(REQUESTS_PATIENCE, self.connections.wait()).await;
        self.log.close();
        self.sequencer.await.map_err(|_| RunError::Sequencer)??;
        drop(self.follower.take());
        if let Some(index) = &self.index
            && let Err(error) = index.close().await
        {
            tracing::warn!(%error, "the search index was not closed well");
        }
        self.store.close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Bound, and not yet served.
struct Listeners {
    http: TcpListener,
    gateway: TcpListener,
    admin: Option<TcpListener>,
}

impl Listeners {
    fn bind(config: &NodeConfig) -> Result<Self, StartError> {
        let bind = |what, option, address| {
            listen::bind(address).map_err(|source| StartError::Bind {
                what,
                option,
                address,
                source,
            })
        };
        Ok(Self {
            http: bind("HTTP", "--http", config.http)?,
            gateway: bind("WebSocket gateway", "--gateway", config.gateway)?,
            admin: match config.admin {
                Listen::Off => None,
                Listen::At(address) => Some(bind("admin", "--admin", address)?),
            },
        })
    }
}

fn raise_descriptors(connections_max: u64) {
    let descriptors = machine::raise_descriptors();
    if descriptors < connections_max.saturating_add(machine::DESCRIPTORS_RESERVED) {
        tracing::warn!(
            descriptors,
            connections_max,
            "not all connections fit under the limit of open files; `petrel doctor` says how to \
             raise it"
        );
    }
}

fn warn_of_strangers(admin: SocketAddr) {
    if !admin.ip().is_loopback() {
        tracing::warn!(
            address = %admin,
            "whoever reaches the admin listener can read metrics and profiles and change the log \
             level; see that only your own network does"
        );
    }
}

/// Who is told what the sequencer has committed.
struct Outcome {
    gateway: Gateway,
    requester: Arc<Requester>,
    /// Notified of every batch.
    committed: Arc<Notify>,
    activity: Arc<Activity>,
}

impl Outcome {
    /// Passes batches on until the sequencer ends. `derived` is notified of those that
    /// something follows from, `released` of those that may leave files to delete.
    async fn deliver(
        self,
        batches: mpsc::Receiver<CommittedBatch>,
        derived: Arc<Notify>,
        released: Arc<Notify>,
    ) {
        let before = |batch: &mut CommittedBatch| {
            if batch.derived {
                derived.notify_one();
            }
            if batch.releases_files {
                released.notify_one();
            }
            self.committed.notify_one();
            self.activity.count(batch);
            self.requester.take_answers(batch);
        };
        self.gateway.fan_out(batches, before).await;
    }
}

/// What the configuration says of STUN and TURN, with the secret that it names.
fn turn_servers(config: &TurnConfig) -> Result<TurnServers, StartError> {
    let secret = match &config.secret_file {
        None => Vec::new(),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                let file = file.display();
                StartError::Config(format!("calls.turn_secret_file {file} can't be read: {error}"))
            })?;
            text.trim().as_bytes().to_vec()
        }
    };
    if !config.turn_urls.is_empty() && secret.len() < TURN_SECRET_BYTES_MIN {
        return Err(StartError::Config(format!(
            "the secret in calls.turn_secret_file has {} bytes; give it, and the TURN servers, one \
             of at least {TURN_SECRET_BYTES_MIN}, as from `openssl rand -hex 32`",
            secret.len()
        )));
    }
    Ok(TurnServers {
        stun_urls: config.stun_urls.clone(),
        turn_urls: config.turn_urls.clone(),
        secret,
        credentials_last: config.credentials_last,
    })
}

/// Where it stands when users were online last, in the data directory.
const LAST_SEEN_FILE: &str = "last-seen";

/// How often that is written, and so how much of it a crash takes.
const LAST_SEEN_SAVED_EVERY: Duration = Duration::from_secs(15);

fn directory(data: &Path, clock: &Arc<dyn Clock>) -> Result<InProcessDirectory, StartError> {
    let file = data.join(LAST_SEEN_FILE);
    InProcessDirectory::open(&file, Arc::clone(clock)).map_err(|source| StartError::System {
        what: "the file last-seen in the data directory",
        source,
    })
}

async fn save_last_seen(directory: Arc<InProcessDirectory>) {
    loop {
        tokio::time::sleep(LAST_SEEN_SAVED_EVERY).await;
        save(&directory).await;
    }
}

/// Only what nobody would miss is lost if it fails.
async fn save(directory: &Arc<InProcessDirectory>) {
    let directory = Arc::clone(directory);
    match tokio::task::spawn_blocking(move || directory.save()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "when users were last online can't be written down");
        }
        Err(error) => tracing::warn!(%error, "when users were last online was not written down"),
    }
}

/// Gives the sequencer a thread of its own, where nothing else can delay a commit.
fn spawn_sequencer(
    sequencer: Sequencer,
    stream: Box<dyn CommandStream>,
    effects: mpsc::Sender<CommittedBatch>,
) -> Result<oneshot::Receiver<Result<(), StoreError>>, StartError> {
    let (ended, sequencer_ended) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new()
        .name(format!("sequencer-{PARTITION}"))
        .spawn(move || {
            // Nobody listens any more only if the node was dropped without draining.
            let _ = ended.send(runtime.block_on(sequencer.run(stream, effects)));
        })
        .map_err(|source| StartError::System { what: "a thread", source })?;
    Ok(sequencer_ended)
}

fn issuers(config: &NodeConfig) -> Result<Issuers, StartError> {
    let local = secrets::load_or_create(&config.data_directory, Issuer::Local)?;
    let bench = match config.bench_issuer {
        BenchIssuer::Off => None,
        BenchIssuer::LoopbackOnly | BenchIssuer::Anywhere => {
            Some(secrets::load_or_create(&config.data_directory, Issuer::Bench)?)
        }
    };
    let files = config.issuer_files.iter().map(|path| IssuerConfig::read(path));
    let external = ExternalIssuers::new(
        files.collect::<Result<_, _>>()?,
        Surroundings {
            registration: config.effective_registration(),
            bench: bench.is_some(),
            loopback: config.is_loopback(),
        },
    )?;
    Ok(Issuers { local, bench, external })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::System { what: "a listener's address", source })
}

fn random() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System {
        what: "random numbers",
        source: std::io::Error::other(error),
    })
}

fn bind_hint(source: &std::io::Error, option: &str) -> String {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "; another program has this port: stop it, or choose another with {option} HOST:PORT"
        ),
        _ => format!("; choose another address with {option} HOST:PORT"),
    }
}
