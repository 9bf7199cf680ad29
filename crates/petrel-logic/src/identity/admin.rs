//! What an operator does by hand, on a store that nobody serves: the first admin, users,
//! invites.

use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_store::{Invite, Store, StoreErrorKind, User};
use petrel_types::{Clock, TimestampMs, UserId};

use super::passwords::{check_password, check_username, hash_password};
use super::{invites, of_store, random, taken};
use crate::Refusal;

/// Creates a user, also where registration is closed. Hashing the password blocks.
pub async fn create_user(
    store: &dyn Store,
    clock: &dyn Clock,
    username: &str,
    password: &str,
    admin: bool,
) -> Result<User, Refusal> {
    check_username(username)?;
    check_password(password)?;
    let hash = hash_password(password);
    let user =
        store.create_user(username, &hash, clock.now()).await.map_err(|error| {
            match error.kind() {
                StoreErrorKind::Conflict => taken(username),
                _ => of_store(error),
            }
        })?;
    if admin {
        store.make_admin(user.id).await.map_err(of_store)?;
    }
    Ok(User { is_admin: admin, ..user })
}

/// Makes a registered user an admin of the system.
pub async fn grant_admin(store: &dyn Store, username: &str) -> Result<UserId, Refusal> {
    let nobody = || {
        Refusal::new(ErrorReason::UserNotFound, format!("nobody has the user name {username:?}"))
    };
    let user = store.user_by_name(username).await.map_err(of_store)?.ok_or_else(nobody)?;
    store.make_admin(user.id).await.map_err(of_store)?;
    Ok(user.id)
}

/// Makes an invite. Returns its code, which is stored nowhere, and when it ends.
pub async fn create_invite(
    store: &dyn Store,
    clock: &dyn Clock,
    uses: u32,
    lasts: Duration,
) -> Result<(String, TimestampMs), Refusal> {
    let code = invites::code(&random()?);
    let created = clock.now();
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    let expires = TimestampMs::new(created.get().saturating_add(lasts_ms));
    let invite = Invite { digest: invites::digest(&code), uses_left: uses, created, expires };
    store.create_invite(invite).await.map_err(of_store)?;
    Ok((code, expires))
}
