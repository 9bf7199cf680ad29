//! What is reached from outside: the gateway, the HTTP API, the operator's sides, and the
//! listeners that they are behind.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use petrel_api::{Api, Proxies, RequestIds, RequestLimits};
use petrel_gateway::{Dependencies, Gateway, GatewayConfig};
use petrel_logic::identity::Registration;
use petrel_logic::notices::Notices;
use petrel_logic::sequencer::CommittedBatch;
use petrel_logic::typing::{self, Typing};
use petrel_types::SessionId;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::services::NODE;
use super::{Engine, Ground, Services, operation, random};
use crate::admin_listener::AdminListener;
use crate::config::{Listen, NodeConfig};
use crate::listen::{self, serve};
use crate::operator_socket::OperatorSocket;
use crate::search::Follower;
use crate::tls::Tls;
use crate::{LogControl, StartError, machine};

/// Bound, and not yet served.
pub(crate) struct Listeners {
    http: TcpListener,
    gateway: TcpListener,
    admin: Option<TcpListener>,
}

impl Listeners {
    pub(crate) fn bind(config: &NodeConfig) -> Result<Self, StartError> {
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

/// What is reached from outside.
pub(crate) struct Edge {
    pub(crate) http_address: SocketAddr,
    pub(crate) gateway_address: SocketAddr,
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) gateway: Gateway,
    /// Notified, it makes the TLS certificate be read again.
    pub(crate) reload: Arc<Notify>,
    /// The search index catches up as long as this is held.
    pub(crate) follower: Option<Follower>,
    /// Cancelled, it ends the listeners.
    pub(crate) stopping: CancellationToken,
    /// What is to be finished before the node ends.
    pub(crate) connections: TaskTracker,
}

impl Edge {
    /// Makes it, and begins to serve.
    pub(crate) async fn open(
        ground: &Ground,
        (engine, batches): (&Engine, mpsc::Receiver<CommittedBatch>),
        services: &Services,
        listeners: Listeners,
        tls: Option<&Tls>,
        log: LogControl,
    ) -> Result<Self, StartError> {
        let Ground { config, store, clock, metrics, tasks, .. } = ground;
        let (notices, said) = Notices::new();
        let gateway = gateway(ground, engine, services, &notices)?;
        let follower = engine.pass_on(ground, services, &gateway, batches)?;
        operation::sample(ground, engine, services, &gateway);
        let proxies = Arc::new(Proxies::new(config.proxies.clone()));
        let users = Arc::clone(&services.users);
        let limits =
            RequestLimits::new(&config.limits, users, Arc::clone(&proxies), services.begin);
        let said = (notices, said);
        let administration =
            operation::administration(ground, engine, services, &gateway, &limits, said).await?;

        let prefix = u32::try_from(random()? >> 32).unwrap_or_default();
        let request_ids = RequestIds::new(prefix, metrics.http.clone());
        let api = petrel_api::routes(Api {
            identity: Arc::clone(&services.identity),
            catchup: services.catchup.clone(),
            search: services.search.clone(),
            contacts: Arc::clone(&services.contacts),
            presence: Arc::clone(&services.presence),
            turn: Arc::clone(&services.turn),
            clock: Arc::clone(clock),
            requester: Arc::clone(&services.requester),
            files: Arc::clone(&services.files),
            administration: Arc::clone(&administration),
            admission: Arc::clone(&services.admission),
            limits: limits.clone(),
            proxies,
            allowed_origins: config.allowed_origins.clone().into(),
        });
        let http_routes = limits.layer(api.merge(gateway.websocket_route()));
        let gateway_routes = limits.layer(gateway.routes());
        let edge = Self {
            http_address: local_address(&listeners.http)?,
            gateway_address: local_address(&listeners.gateway)?,
            admin_address: listeners.admin.as_ref().map(local_address).transpose()?,
            gateway,
            reload: Arc::new(Notify::new()),
            follower,
            stopping: CancellationToken::new(),
            connections: TaskTracker::new(),
        };
        // Among the connections, because the drain waits for it.
        let activity = Arc::clone(&services.activity);
        let keep = activity.keep(Arc::clone(store), Arc::clone(clock), edge.stopping.clone());
        edge.connections.spawn(keep);
        if let Some(socket) = OperatorSocket::bind(&config.data_directory) {
            let (stopping, connections) = (edge.stopping.clone(), edge.connections.clone());
            let serve = socket.serve(administration, request_ids.clone(), stopping, connections);
            tasks.spawn("operator socket", serve);
        }
        edge.listen(ground, "http listener", listeners.http, tls, request_ids.layer(http_routes));
        let routes = request_ids.layer(gateway_routes);
        edge.listen(ground, "gateway listener", listeners.gateway, tls, routes);
        if let Some((listener, address)) = listeners.admin.zip(edge.admin_address) {
            warn_of_strangers(address);
            let admin = AdminListener { metrics: Arc::clone(metrics), tasks: tasks.clone(), log };
            edge.listen(ground, "admin listener", listener, None, admin.routes(address));
        }
        if let Some(tls) = tls.cloned() {
            let keep_up = tls.keep_up(Arc::clone(&edge.reload), edge.stopping.clone());
            tasks.spawn("tls certificate", keep_up);
        }
        raise_descriptors(config.connections_max);
        if services.identity.registration() == Registration::Closed {
            tracing::info!(
                "registration is closed; `--registration open` opens it, and `petrel admin \
                 create-user` creates a user"
            );
        }
        Ok(edge)
    }

    fn listen(
        &self,
        ground: &Ground,
        name: &'static str,
        listener: TcpListener,
        tls: Option<&Tls>,
        routes: Router,
    ) {
        let (stopping, connections) = (self.stopping.clone(), self.connections.clone());
        let serve = serve(listener, tls.map(Tls::acceptor), routes, stopping, connections);
        ground.tasks.spawn(name, serve);
    }
}

/// Makes the gateway, and starts what it tells by itself.
fn gateway(
    ground: &Ground,
    engine: &Engine,
    services: &Services,
    notices: &Arc<Notices>,
) -> Result<Gateway, StartError> {
    let Ground { config, store, clock, metrics, tasks, .. } = ground;
    // Room for 2^31 sessions before the next start could meet this one's; and none is
    // `Origin::REQUESTER`.
    let first_session = (random()? >> 2).max(2);
    let typing = typing::Settings {
        members_max: config.limits.typing_members,
        chats_need_friendship: config.chats_need_friendship,
    };
    let gateway = Gateway::new(
        Dependencies {
            log: Arc::clone(&engine.log),
            identity: Arc::clone(&services.identity),
            catchup: services.catchup.clone(),
            search: services.search.clone(),
            contacts: Arc::clone(&services.contacts),
            directory: Arc::clone(&services.directory),
            presence: Arc::clone(&services.presence),
            typing: Arc::new(Typing::new(Arc::clone(store), typing)),
            calls: Arc::clone(&services.calls),
            turn: Arc::clone(&services.turn),
            clock: Arc::clone(clock),
            epoch: store.epoch(),
            admission: Arc::clone(&services.admission),
            users: Arc::clone(&services.users),
            words: Arc::clone(&services.words),
            notices: Arc::clone(notices),
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
    let told = gateway.clone();
    tasks.spawn("presence", async move { told.tell_presence().await });
    let rung = gateway.clone();
    tasks.spawn("calls", async move { rung.look_after_calls().await });
    Ok(gateway)
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

fn local_address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::System { what: "a listener's address", source })
}
