//! What an operator does by hand on a data directory, while no server is at work in it.

use std::path::Path;
use std::time::Duration;

use petrel_logic::Refusal;
use petrel_logic::identity::admin;
use petrel_store::sqlite::SqliteStore;
use petrel_store::{Store, StoreError, StoreErrorKind, User};
use petrel_types::{SystemClock, TimestampMs, UserId};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A server is at work in the data directory.
    #[error(
        "a server is at work in {0}: stop it (Ctrl-C, or SIGTERM), give this command again, and \
         start it anew; nobody loses anything by that, clients come back by themselves"
    )]
    InUse(String),
    /// The data directory can't be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// It is not possible.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

/// The store of a data directory, opened for an operator. A directory that has none gets
/// one, so that the first admin can be there before the first start.
pub struct Admin {
    store: SqliteStore,
}

impl Admin {
    /// Opens it.
    pub fn open(data_directory: &Path) -> Result<Self, AdminError> {
        match SqliteStore::open(data_directory) {
            Ok(store) => Ok(Self { store }),
            Err(error) if error.kind() == StoreErrorKind::Locked => {
                Err(AdminError::InUse(data_directory.display().to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a user, also where registration is closed.
    pub async fn create_user(
        &self,
        username: &str,
        password: &str,
        is_admin: bool,
    ) -> Result<User, AdminError> {
        let created =
            admin::create_user(&self.store, &SystemClock, username, password, is_admin).await;
        created.map_err(AdminError::Refused)
    }

    /// Makes a registered user an admin.
    pub async fn grant_admin(&self, username: &str) -> Result<UserId, AdminError> {
        admin::grant_admin(&self.store, username).await.map_err(AdminError::Refused)
    }

    /// Makes an invite. Returns its code and when it ends.
    pub async fn invite(
        &self,
        uses: u32,
        lasts: Duration,
    ) -> Result<(String, TimestampMs), AdminError> {
        let made = admin::create_invite(&self.store, &SystemClock, uses, lasts).await;
        made.map_err(AdminError::Refused)
    }

    /// Brings everything to disk.
    pub async fn close(self) -> Result<(), AdminError> {
        Ok(self.store.close().await?)
    }
}
