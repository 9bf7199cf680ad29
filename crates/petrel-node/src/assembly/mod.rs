//! Putting a node together, from the store outwards.
//!
//! Each step takes what those before it have made: [`Engine`] is the way of a command into
//! the store, [`Services`] are what users ask, [`Edge`] is what they reach. What a part does
//! is said in its own crate; here is only who knows whom, and which tasks run.

mod edge;
mod engine;
mod operation;
mod services;

use std::sync::Arc;

use petrel_search::SearchIndex;
use petrel_store::Store;
use petrel_types::Clock;

use crate::StartError;
use crate::admin_listener::{Metrics, Tasks};
use crate::config::NodeConfig;

pub(crate) use edge::{Edge, Listeners};
pub(crate) use engine::Engine;
pub(crate) use services::{Services, issuers};

/// What every step builds on.
pub(crate) struct Ground {
    pub(crate) config: NodeConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) index: Option<Arc<dyn SearchIndex>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
}

fn random() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System {
        what: "random numbers",
        source: std::io::Error::other(error),
    })
}
