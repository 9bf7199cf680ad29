//! Why a node does not start, or ends by itself.

use std::io;
use std::net::SocketAddr;

use petrel_files::StorageError;
use petrel_logic::identity::IssuerError;
use petrel_search::SearchError;
use petrel_store::StoreError;

use crate::issuer::IssuerConfigError;
use crate::secrets::SecretError;
use crate::tls::TlsError;

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
        source: io::Error,
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
        source: io::Error,
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

fn bind_hint(source: &io::Error, option: &str) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another program has this port: stop it, or choose another with {option} HOST:PORT"
        ),
        _ => format!("; choose another address with {option} HOST:PORT"),
    }
}
