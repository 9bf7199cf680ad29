//! One node: configuration, assembly, start and drain.
//!
//! [`Node::start`] binds the listeners first, so that a taken port is told before
//! anything is touched, then opens the store and wires the parts together (`assembly`).
//! Tests call it just as the binary does.

mod admin;
mod admin_listener;
mod assembly;
pub mod config;
pub mod doctor;
mod error;
mod issuer;
mod last_seen;
mod listen;
mod machine;
mod operator_socket;
mod recorder;
mod search;
pub mod secrets;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use petrel_directory::InProcessDirectory;
use petrel_log::CommandLog;
use petrel_logic::sequencer::Rules;
use petrel_search::SearchIndex;
use petrel_store::sqlite::{self, SqliteStore};
use petrel_store::{Store, StoreError};
use petrel_types::SystemClock;
use tokio::sync::{Notify, oneshot};

pub use admin::{Admin, AdminError, Ask};
pub use admin_listener::LogControl;
use admin_listener::{Metrics, Tasks};
use assembly::{Edge, Engine, Ground, Listeners, Services, issuers};
pub use config::{BenchIssuer, EXPIRY_GRACE, NodeConfig, TurnConfig};
pub use error::{RunError, StartError};
pub use issuer::{IdsConfig, IssuerConfig, IssuerConfigError};
pub use petrel_api::Network;
pub use petrel_files::{Decoder, decode_picture};
pub use petrel_gateway::{Heartbeat, SessionPolicy};
pub use petrel_logic::identity::{
    ExternalIssuer, IdentitySettings, Registration as RegistrationMode, ThrottleSettings,
};
use tls::Tls;
pub use tls::{TlsConfig, TlsError};

/// How long open HTTP requests may take to finish when the node stops.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(3);

/// A started node.
pub struct Node {
    edge: Edge,
    tls: Option<Tls>,
    log: Arc<dyn CommandLog>,
    store: Arc<dyn Store>,
    index: Option<Arc<dyn SearchIndex>>,
    online: Arc<InProcessDirectory>,
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
        let (external_users, unstored_local_users) = issuers.external.unstored_users();
        let rules = Rules {
            external_users: external_users || issuers.bench.is_some(),
            unstored_local_users,
            chats_need_friendship: config.chats_need_friendship,
        };
        let ground = Ground {
            config,
            store,
            index,
            clock: Arc::new(SystemClock),
            metrics,
            tasks: Tasks::default(),
        };
        let (engine, batches) = Engine::start(&ground, rules).await?;
        let services = Services::open(&ground, &engine, issuers).await?;
        let edge = Edge::open(&ground, (&engine, batches), &services, listeners, tls.as_ref(), log)
            .await?;
        Ok(Self {
            edge,
            tls,
            log: engine.log,
            store: ground.store,
            index: ground.index,
            online: services.online,
            sequencer: engine.sequencer,
        })
    }

    /// Where the HTTP API listens.
    pub fn http_address(&self) -> SocketAddr {
        self.edge.http_address
    }

    /// Where the WebSocket gateway listens.
    pub fn gateway_address(&self) -> SocketAddr {
        self.edge.gateway_address
    }

    /// Where metrics and profiles are served, if anywhere.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.edge.admin_address
    }

    /// The SHA-256 of the TLS certificate, as browsers show it; `None` without TLS.
    pub fn tls_fingerprint(&self) -> Option<String> {
        self.tls.as_ref().map(Tls::fingerprint)
    }

    /// Notified, it makes the node read its TLS certificate again.
    pub fn reload(&self) -> Arc<Notify> {
        Arc::clone(&self.edge.reload)
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
        let Edge { gateway, follower, stopping, connections, .. } = self.edge;
        tracing::info!(connections = gateway.connections(), "draining");
        stopping.cancel();
        connections.close();
        gateway.drain().await;
        last_seen::save(&self.online).await;
        let _ = tokio::time::timeout(REQUESTS_PATIENCE, connections.wait()).await;
        self.log.close();
        self.sequencer.await.map_err(|_| RunError::Sequencer)??;
        drop(follower);
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
