//! Users and invites that an operator makes, also where registration is closed.

use std::ops::RangeInclusive;
use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_protocol::http::{Invite, NewInvite};
use petrel_store::{Store, StoreErrorKind, User};
use petrel_types::{Clock, TimestampMs};

use super::passwords::{check_password, check_username, hash_password};
use super::{Identity, invites, of_store, random, taken};
use crate::Refusal;

/// How many people an invite may be for, and for how many days.
const INVITE_USES: RangeInclusive<u32> = 1..=100_000;
const INVITE_DAYS: RangeInclusive<u32> = 1..=366;

/// Creates a user. The password is hashed when it is its turn, if others log in meanwhile.
pub(crate) async fn create_user(
    store: &dyn Store,
    clock: &dyn Clock,
    identity: Option<&Identity>,
    username: &str,
    password: String,
) -> Result<User, Refusal> {
    check_username(username)?;
    check_password(&password)?;
    let hash = match identity {
        Some(identity) => identity.hashing.hash(password).await?,
        None => {
            let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await;
            hash.expect("hashing doesn't panic")
        }
    };
    store.create_user(username, &hash, clock.now()).await.map_err(|error| match error.kind() {
        StoreErrorKind::Conflict => taken(username),
        _ => of_store(error),
    })
}

/// Makes an invite. Its code is stored nowhere.
pub(crate) async fn create_invite(
    store: &dyn Store,
    clock: &dyn Clock,
    invite: NewInvite,
) -> Result<Invite, Refusal> {
    let NewInvite { uses, days } = invite;
    if !INVITE_USES.contains(&uses) || !INVITE_DAYS.contains(&days) {
        let message = format!(
            "`uses` is from {} to {}, `days` from {} to {}",
            INVITE_USES.start(),
            INVITE_USES.end(),
            INVITE_DAYS.start(),
            INVITE_DAYS.end()
        );
        return Err(Refusal::new(ErrorReason::InvalidField, message));
    }
    let code = invites::code(&random()?);
    let created = clock.now();
    let lasts = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    let expires_ts = TimestampMs::new(created.get().saturating_add(lasts_ms));
    let digest = invites::digest(&code);
    let made = petrel_store::Invite { digest, uses_left: uses, created, expires: expires_ts };
    store.create_invite(made).await.map_err(of_store)?;
    Ok(Invite { code, expires_ts })
}
