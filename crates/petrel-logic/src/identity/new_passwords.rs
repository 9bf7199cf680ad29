//! Other passwords: chosen by who knows the present one, or by who has a code of an admin.

use petrel_protocol::ErrorReason;
use petrel_protocol::http::LoggedIn;
use petrel_protocol::http::admin::{AuditAction, PasswordChange, RedeemReset};
use petrel_store::{AuditRecord, Digest, LoginDevice, User};

use super::passwords::check_password;
use super::{Authenticated, Identity, Source, invites, later, of_store, random};
use crate::Refusal;

/// A code with which somebody may choose another password, and what is stored of it.
pub(crate) fn reset_code() -> Result<(String, Digest), Refusal> {
    let code = invites::code(&random()?);
    let digest = invites::digest(&code);
    Ok((code, digest))
}

impl Identity {
    /// Gives a user another password, who knows the present one. All log-ins end but the one
    /// that asks. Tries are slowed down as those of log-ins are.
    pub async fn change_password(
        &self,
        who: Authenticated,
        change: PasswordChange,
        source: Source,
    ) -> Result<u64, Refusal> {
        let PasswordChange { password, new_password } = change;
        check_password(&new_password)?;
        let Some(user) = self.store.user(who.user).await.map_err(of_store)? else {
            let message = "your password is with the issuer of your token, not here";
            return Err(Refusal::new(ErrorReason::UserNotFound, message));
        };
        let begun = self.throttle().begin(source, &user.username, self.clock.now());
        begun.map_err(|wait| later(wait, "too many wrong passwords from your address"))?;
        let expected = user.password_hash.clone();
        if !self.hashing.verify(password, known_hash(&user)).await? {
            return Err(wrong());
        }
        self.throttle().succeeded(source, &user.username);
        let hash = self.hashing.hash(new_password).await?;
        let end = self.end_now();
        let replaced = self.store.replace_password(user.id, &expected, &hash, who.login, end).await;
        let ended = replaced.map_err(of_store)?.ok_or_else(wrong)?;
        self.ended(user.id, &ended, end);
        tracing::info!(user = %user.id, "another password was chosen");
        Ok(ended.len() as u64)
    }

    /// Gives a user another password, who has a code of an admin, and logs the user in.
    pub async fn redeem_reset(
        &self,
        reset: RedeemReset,
        source: Source,
    ) -> Result<LoggedIn, Refusal> {
        let RedeemReset { username, code, password } = reset;
        check_password(&password)?;
        let begun = self.throttle().begin(source, &username, self.clock.now());
        begun.map_err(|wait| later(wait, "too many wrong codes from your address"))?;
        let user = self.store.user_by_name(&username).await.map_err(of_store)?;
        // As slow for a user whom there is not.
        let hash = self.hashing.hash(password).await?;
        let user = user.ok_or_else(no_good)?;
        let end = self.end_now();
        let record = AuditRecord {
            at: self.clock.now(),
            actor: Some(user.id),
            source: source.0.to_string(),
            action: AuditAction::PasswordRedeemed.as_str().to_owned(),
            target: Some(("user".to_owned(), user.id.get())),
            detail: String::new(),
        };
        let code = invites::digest(&code);
        let redeemed = self.store.redeem_password_reset(user.id, code, &hash, end, record).await;
        let ended = redeemed.map_err(of_store)?.ok_or_else(no_good)?;
        self.throttle().succeeded(source, &username);
        self.ended(user.id, &ended, end);
        self.begin_login(user, LoginDevice::default()).await
    }

    /// Records that an admin logged in, or that somebody tried to.
    pub(super) async fn record_admin(
        &self,
        user: &User,
        action: AuditAction,
        source: Source,
    ) -> Result<(), Refusal> {
        let record = AuditRecord {
            at: self.clock.now(),
            actor: (action == AuditAction::AdminLoggedIn).then_some(user.id),
            source: source.0.to_string(),
            action: action.as_str().to_owned(),
            target: Some(("user".to_owned(), user.id.get())),
            detail: String::new(),
        };
        self.store.keep_record(record).await.map(drop).map_err(of_store)
    }
}

/// The hash to verify a password against; none while the user has to choose another one.
pub(super) fn known_hash(user: &User) -> Option<String> {
    Some(user.password_hash.clone()).filter(|hash| !hash.is_empty())
}

fn wrong() -> Refusal {
    Refusal::new(ErrorReason::BadCredentials, "the present password is another one")
}

fn no_good() -> Refusal {
    Refusal::new(
        ErrorReason::InvalidResetCode,
        "the user name or the code is wrong, or the code was used or is over; ask for another one",
    )
}
