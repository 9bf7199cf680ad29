//! What users ask: who they are, what was said, who is there.

use std::sync::Arc;
use std::time::Instant;

use petrel_directory::{Directory, InProcessDirectory};
use petrel_files::{FileSettings, Files, LinkKey};
use petrel_logic::activity::Activity;
use petrel_logic::admission::Admission;
use petrel_logic::budget::{Budgets, Rates};
use petrel_logic::call::{Exchange, TurnServers};
use petrel_logic::contacts::Contacts;
use petrel_logic::identity::{ExternalIssuers, Identity, IdentitySettings, Issuers, Surroundings};
use petrel_logic::presence::Presence;
use petrel_logic::requester::Requester;
use petrel_logic::search::Search;
use petrel_logic::sync::Catchup;
use petrel_logic::words::{WordFilter, record_flagged};
use petrel_types::{NodeId, UserId};
use tokio::sync::Notify;

use super::{Engine, Ground};
use crate::config::{BenchIssuer, NodeConfig, TurnConfig};
use crate::issuer::IssuerConfig;
use crate::secrets::{self, Issuer};
use crate::{StartError, last_seen};

/// The embedded engine has one node.
pub(super) const NODE: NodeId = NodeId::new(1);

/// A shorter secret of TURN servers is refused: whoever guesses it relays at others' cost.
const TURN_SECRET_BYTES_MIN: usize = 16;

/// What users ask.
pub(crate) struct Services {
    pub(crate) identity: Arc<Identity>,
    pub(crate) words: Arc<WordFilter>,
    pub(crate) requester: Arc<Requester>,
    pub(crate) catchup: Catchup,
    pub(crate) contacts: Arc<Contacts>,
    pub(crate) search: Search,
    pub(crate) files: Arc<Files>,
    /// To be notified when files may be left over.
    pub(crate) released: Arc<Notify>,
    pub(crate) calls: Arc<Exchange>,
    pub(crate) turn: Arc<TurnServers>,
    /// Who is online: as others see it, and with what is kept of it.
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) online: Arc<InProcessDirectory>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) admission: Arc<Admission>,
    /// What each user may still ask for, by sockets and by HTTP together, since `begin`.
    pub(crate) users: Arc<Budgets<UserId>>,
    pub(crate) begin: Instant,
}

impl Services {
    /// Opens what they need and starts what they do by themselves.
    pub(crate) async fn open(
        ground: &Ground,
        engine: &Engine,
        issuers: Issuers,
    ) -> Result<Self, StartError> {
        let Ground { config, store, index, clock, metrics, tasks } = ground;
        let links = LinkKey::new(issuers.local.derive("file-links"));
        let registration = config.effective_registration();
        let settings = IdentitySettings { registration, ..config.identity.clone() };
        let identity =
            Identity::open(Arc::clone(store), Arc::clone(clock), issuers, settings).await?;
        let identity = Arc::new(identity);
        let (words, flagged) = WordFilter::new(metrics.words.clone());
        identity.look_for_words(Arc::clone(&words));
        let flagged = record_flagged(flagged, Arc::clone(store), Arc::clone(clock));
        tasks.spawn("flagged words", flagged);
        let activity = Arc::new(Activity::new());
        identity.tell_activity(Arc::clone(&activity));
        let housekeeper = Arc::clone(&identity);
        tasks.spawn("expired log-ins", async move { housekeeper.remove_expired().await });

        let requester = Requester::new(Arc::clone(&engine.log), NODE);
        let requester = Arc::new(requester.with_words(Arc::clone(&words)));
        let catchup = Catchup::new(Arc::clone(store));
        let released = Arc::new(Notify::new());
        let files = Files::open(
            petrel_files::Dependencies {
                store: Arc::clone(store),
                catchup: catchup.clone(),
                words: Arc::clone(&words),
                clock: Arc::clone(clock),
                links,
                metrics: metrics.files.clone(),
                released: Arc::clone(&released),
            },
            FileSettings {
                decoder: config.picture_decoder.clone(),
                ..config.files.settings(&config.data_directory).map_err(StartError::Config)?
            },
        )
        .await?;
        tasks.spawn("file collector", Arc::clone(&files).collect());

        let calls = Arc::new(Exchange::new(
            Arc::clone(store),
            Arc::clone(&requester),
            engine.rules,
            metrics.calls.clone(),
        ));
        let recorded = Arc::clone(&calls);
        tasks.spawn("call records", async move { recorded.record().await });

        let online = Arc::new(last_seen::open(&config.data_directory, clock)?);
        tasks.spawn("last seen", last_seen::keep(Arc::clone(&online)));
        let directory: Arc<dyn Directory> = Arc::clone(&online) as _;
        let presence = Arc::new(Presence::new(
            Arc::clone(store),
            Arc::clone(&directory),
            config.presence,
            metrics.presence.clone(),
        ));

        let begin = tokio::time::Instant::now().into_std();
        Ok(Self {
            identity,
            words,
            requester,
            contacts: Arc::new(Contacts::new(Arc::clone(store))),
            search: Search::new(Arc::clone(store), index.clone(), metrics.search.clone()),
            catchup,
            files,
            released,
            calls,
            turn: Arc::new(turn_servers(&config.turn)?),
            directory,
            online,
            presence,
            activity,
            admission: Arc::new(Admission::new(&config.limits, &metrics.admission)),
            users: Arc::new(Budgets::new(Rates::of_user(&config.limits), begin)),
            begin,
        })
    }
}

/// Whose tokens are believed.
pub(crate) fn issuers(config: &NodeConfig) -> Result<Issuers, StartError> {
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
