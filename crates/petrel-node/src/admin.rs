//! What an operator does by hand: asks the server at work in a data directory, or, if there
//! is none, the same rules on the data itself.
//!
//! There is never a second writer: whoever finds the directory locked asks the one who holds
//! the lock, by the socket that it keeps there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use petrel_api::{Metrics, RequestIds, operator_routes};
use petrel_logic::administration::{Administration, Operator};
use petrel_protocol::http::{Failure, Success};
use petrel_store::sqlite::SqliteStore;
use petrel_store::{Store, StoreError, StoreErrorKind};
use petrel_types::SystemClock;
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::operator_socket::FILE;

/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A server is at work in the data directory and can't be reached.
    #[error(
        "a server is at work in {}, but does not answer at {FILE} there ({source}): use the user \
         it runs as, or stop it (SIGTERM), give this command again, and start it anew",
        directory.display()
    )]
    Unreachable {
        /// The data directory.
        directory: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The data directory can't be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// It is not possible.
    #[error("{0}")]
    Refused(String),
}

/// What is asked: a route of admins.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The method.
    pub method: &'static str,
    /// The path, with its query.
    pub path: String,
    /// The body, if there is one.
    pub body: Option<Value>,
}

/// Somebody who is asked.
pub struct Admin {
    directory: PathBuf,
    /// Of a directory that no server is at work in.
    offline: Option<Arc<SqliteStore>>,
}

impl Admin {
    /// Opens the store, or finds that a server has it. A directory that has none gets one, so
    /// that the first admin can be there before the first start.
    pub fn open(data_directory: &Path) -> Result<Self, AdminError> {
        let directory = data_directory.to_owned();
        match SqliteStore::open(data_directory) {
            Ok(store) => Ok(Self { directory, offline: Some(Arc::new(store)) }),
            Err(error) if error.kind() == StoreErrorKind::Locked => {
                Ok(Self { directory, offline: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks, and waits for the answer.
    pub async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, AdminError> {
        let (status, body) = match &self.offline {
            Some(store) => self.ask_store(Arc::clone(store), ask).await,
            None => timeout(ANSWER_TIMEOUT, self.ask_server(ask))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        }
        .map_err(|source| AdminError::Unreachable { directory: self.directory.clone(), source })?;
        let unreadable = |error: serde_json::Error| {
            AdminError::Refused(format!(
                "the answer can't be read ({error}); is it another version?"
            ))
        };
        if status == StatusCode::OK {
            let success: Success<T> = serde_json::from_slice(&body).map_err(unreadable)?;
            return Ok(success.data);
        }
        let failure: Failure = serde_json::from_slice(&body).map_err(unreadable)?;
        Err(AdminError::Refused(failure.message))
    }

    /// Brings everything to disk.
    pub async fn close(self) -> Result<(), AdminError> {
        match self.offline {
            Some(store) => Ok(store.close().await?),
            None => Ok(()),
        }
    }

    async fn ask_store(
        &self,
        store: Arc<SqliteStore>,
        ask: Ask,
    ) -> io::Result<(StatusCode, Vec<u8>)> {
        let administration = Administration::new(store, Arc::new(SystemClock), None);
        let source = format!("local:{}", rustix::process::getuid().as_raw());
        let operator = Operator { user: None, source };
        let routes = operator_routes(Arc::new(administration), operator);
        let routes = RequestIds::new(0, Metrics::register(&mut Registry::default())).layer(routes);
        let service = TowerToHyperService::new(routes);
        let answer = hyper::service::Service::call(&service, request(ask)?).await;
        let answer = answer.map_err(io::Error::other)?;
        read(answer.status(), answer.into_body()).await
    }

    async fn ask_server(&self, ask: Ask) -> io::Result<(StatusCode, Vec<u8>)> {
        let stream = UnixStream::connect(self.directory.join(FILE)).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let answer = async {
            let answer = sender.send_request(request(ask)?).await.map_err(io::Error::other)?;
            read(answer.status(), Body::new(answer.into_body())).await
        };
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => {
                ended.map_err(io::Error::other)?;
                answer.await
            }
        }
    }
}

fn request(ask: Ask) -> io::Result<Request<Body>> {
    let request = Request::builder()
        .method(ask.method)
        .uri(ask.path)
        .header(header::HOST, "operator")
        .header(header::CONTENT_TYPE, "application/json");
    let body = ask.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    request.body(body).map_err(io::Error::other)
}

async fn read(status: StatusCode, body: Body) -> io::Result<(StatusCode, Vec<u8>)> {
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(io::Error::other)?;
    Ok((status, body.to_vec()))
}
