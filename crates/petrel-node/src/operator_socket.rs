//! Where `petrel admin` reaches a server at work: a Unix socket in the data directory, which
//! nobody can open but those who could open the data themselves.
//!
//! It serves the routes of admins and no others. Who asks is recorded as the user of the
//! machine whose process it is, as the kernel says.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use petrel_api::{RequestIds, operator_routes};
use petrel_logic::administration::{Administration, Operator};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listen::serve_connection;

/// Its name in the data directory.
pub(crate) const FILE: &str = "operator.sock";

/// How long to wait before accepting again when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bound, and not yet served. The file goes with it.
pub(crate) struct OperatorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl OperatorSocket {
    /// Binds it; `None`, with a word in the log, where that can't be, because everything else
    /// works without it.
    pub(crate) fn bind(data_directory: &Path) -> Option<Self> {
        let path = data_directory.join(FILE);
        match listen(&path) {
            Ok(listener) => Some(Self { listener, path }),
            Err(error) => {
                tracing::warn!(
                    %error, path = %path.display(),
                    "`petrel admin` can't reach this server while it runs"
                );
                None
            }
        }
    }

    /// Serves until told to stop.
    pub(crate) async fn serve(
        self,
        administration: Arc<Administration>,
        request_ids: RequestIds,
        stopping: CancellationToken,
        connections: TaskTracker,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stopping.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let operator = Operator { user: None, source: source_of(&stream) };
                    let routes = operator_routes(Arc::clone(&administration), operator);
                    let (routes, stopping) = (request_ids.layer(routes), stopping.clone());
                    connections.spawn(serve_connection(stream, (), routes, stopping));
                }
                Err(error) => {
                    tracing::warn!(%error, "can't accept an operator; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for OperatorSocket {
    fn drop(&mut self) {
        // The next start would take the place of what is left as well.
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // The lock on the directory is ours, so whoever left a socket there is gone.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn source_of(stream: &UnixStream) -> String {
    stream.peer_cred().map_or_else(|_| "local".to_owned(), |peer| format!("local:{}", peer.uid()))
}
