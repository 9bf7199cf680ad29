//! How long a session may go on: until its token is over, its log-in is ended, or
//! another session takes its place.
//!
//! A session is warned some time before its token expires, each at another time, so that
//! those which began together do not renew together. With `REAUTH` it goes on under
//! another token of the same user. Without, it ends some time after the expiry: a token
//! that is being renewed on a slow line must not cost the connection.

use std::time::Duration;

use petrel_logic::Refusal;
use petrel_logic::admission::bounded;
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{
    AuthExpiring, Error as ErrorFrame, Kick, Reauth, ReauthOk, RequestId, ServerFrame,
};
use petrel_types::{SessionId, TimestampMs};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::End;
use crate::replacement::Ending;

/// How long before its end a token's session is warned at the earliest. The latest is half
/// of that. Of a token that lasts less than twice as long, the second half counts.
const WARNED_BEFORE_MS: u64 = 2 * 60 * 1000;

/// The time table of a session's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Renewal {
    expires: TimestampMs,
    /// When to warn; `None` once that was done.
    warn_at: Option<TimestampMs>,
    end_at: TimestampMs,
    /// When to look at the time table again.
    pub(super) due: Instant,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Warn { in_ms: u64 },
    End,
}

impl Renewal {
    /// Of a token that expires at `expires`. `jitter` is between 0 and 1.
    pub(super) fn new(
        expires: TimestampMs,
        grace: Duration,
        jitter: f64,
        now: TimestampMs,
        instant: Instant,
    ) -> Self {
        let left_ms = expires.get().saturating_sub(now.get());
        let longest = WARNED_BEFORE_MS.min(left_ms / 2) as f64;
        let before_ms = (longest * (0.5 + jitter / 2.0)) as u64;
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let mut renewal = Self {
            expires,
            warn_at: Some(TimestampMs::new(expires.get() - before_ms)),
            end_at: TimestampMs::new(expires.get().saturating_add(grace_ms)),
            due: instant,
        };
        renewal.wait(now, instant);
        renewal
    }

    /// What is due now.
    fn take_due(&mut self, now: TimestampMs, instant: Instant) -> Due {
        let due = if now >= self.end_at {
            Due::End
        } else if self.warn_at.is_some_and(|at| now >= at) {
            self.warn_at = None;
            Due::Warn { in_ms: self.expires.get().saturating_sub(now.get()) }
        } else {
            Due::Nothing
        };
        self.wait(now, instant);
        due
    }

    /// Sets when to look again. By the clock that tells nothing of the time of day, and
    /// for an hour at most, as the other one may be set meanwhile.
    fn wait(&mut self, now: TimestampMs, instant: Instant) {
        const LONGEST_MS: u64 = 60 * 60 * 1000;
        let next = self.warn_at.unwrap_or(self.end_at);
        let wait_ms = next.get().saturating_sub(now.get()).min(LONGEST_MS);
        self.due = instant + Duration::from_millis(wait_ms);
    }
}

/// A number between 0 and 1 that differs from session to session.
pub(super) fn jitter_of(session: SessionId) -> f64 {
    // Fibonacci hashing spreads neighbours (Knuth, TAOCP vol. 3, §6.4).
    let spread = session.get().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> 11) as f64 / (1_u64 << 53) as f64
}

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Warns, or ends the session, if its token demands it.
    pub(super) async fn look_after_token(&mut self) -> Result<(), End> {
        let now = self.gateway.shared.dependencies.clock.now();
        match self.renewal.take_due(now, Instant::now()) {
            Due::Nothing => Ok(()),
            // A legacy client would not know the frame.
            Due::Warn { .. } if self.legacy => Ok(()),
            Due::Warn { in_ms } => {
                self.reply(ServerFrame::AuthExpiring(AuthExpiring { in_ms }), None).await
            }
            Due::End => {
                let error = ErrorFrame::new(
                    ErrorReason::TokenExpired,
                    "the session's token has expired; refresh it and connect again",
                );
                self.reply(ServerFrame::Error(error), None).await?;
                Err(End::Close(CloseCode::Auth, None))
            }
        }
    }

    /// Says why and goes, if the session was told to end.
    pub(super) async fn leave_if_told(&mut self) -> Result<(), End> {
        let (code, reason, message) = match self.outbox.ending() {
            None => return Ok(()),
            Some(Ending::Replaced) => {
                let code = CloseCode::Replaced;
                (code, code.as_str(), "another session took your place")
            }
            Some(Ending::Revoked) => {
                let code = CloseCode::Revoked;
                (code, code.as_str(), "your log-in was ended; log in again")
            }
            Some(Ending::Disabled) => {
                let reason = ErrorReason::AccountDisabled.as_str();
                (CloseCode::Revoked, reason, "an admin of this server has locked the account out")
            }
        };
        let (reason, message) = (reason.to_owned(), message.to_owned());
        if self.legacy {
            let error = ErrorFrame::new(ErrorReason::Kicked, message.clone());
            self.reply(ServerFrame::Error(error), None).await?;
        }
        self.reply(ServerFrame::Kick(Kick { reason, message }), None).await?;
        Err(End::Close(code, None))
    }

    /// Goes on under another token of the same user.
    pub(super) async fn reauthenticate(
        &mut self,
        frame: Reauth,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let answer = self.renew(&frame.token).await.map(ServerFrame::ReauthOk);
        self.reply_or_refuse(answer, id).await
    }

    async fn renew(&mut self, token: &str) -> Result<ReauthOk, Refusal> {
        let shared = &self.gateway.shared;
        let identity = &shared.dependencies.identity;
        let authenticated = bounded(identity.authenticate(token)).await?;
        if authenticated.user != self.user() {
            return Err(Refusal::new(
                ErrorReason::AnotherUser,
                "the token is of another user; open another session for them",
            ));
        }
        self.outbox.set_login(authenticated.login);
        if let Some(ending) = shared.ending_of(authenticated.user, authenticated.login) {
            self.outbox.end(ending);
        }
        let now = shared.dependencies.clock.now();
        let jitter = jitter_of(self.outbox.session());
        let grace = shared.config.expiry_grace;
        self.renewal = Renewal::new(authenticated.expires, grace, jitter, now, Instant::now());
        Ok(ReauthOk { expires_in_ms: authenticated.expires.get().saturating_sub(now.get()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn at(ms: u64) -> TimestampMs {
        TimestampMs::new(1_000_000 + ms)
    }

    fn renewal(expires: u64, jitter: f64) -> (Renewal, Instant) {
        let start = Instant::now();
        let grace = Duration::from_millis(MINUTE_MS);
        (Renewal::new(at(expires), grace, jitter, at(0), start), start)
    }

    #[test]
    fn a_session_is_warned_once_and_ends_after_the_grace() {
        let (mut renewal, start) = renewal(15 * MINUTE_MS, 0.0);
        let mut due = |ms| renewal.take_due(at(ms), start);
        assert_eq!(due(14 * MINUTE_MS - 1), Due::Nothing);
        assert_eq!(due(14 * MINUTE_MS), Due::Warn { in_ms: MINUTE_MS });
        assert_eq!(due(15 * MINUTE_MS), Due::Nothing);
        assert_eq!(due(16 * MINUTE_MS - 1), Due::Nothing);
        assert_eq!(due(16 * MINUTE_MS), Due::End);
    }

    #[test]
    fn the_warning_comes_earlier_for_some_and_never_at_once() {
        let warned_at =
            |expires, jitter| renewal(expires, jitter).0.warn_at.unwrap().get() - 1_000_000;
        assert_eq!(warned_at(15 * MINUTE_MS, 1.0), 13 * MINUTE_MS);
        assert_eq!(warned_at(15 * MINUTE_MS, 0.5), 13 * MINUTE_MS + MINUTE_MS / 2);
        assert_eq!(warned_at(2000, 1.0), 1000);
        assert_eq!(warned_at(2000, 0.0), 1500);
    }

    #[test]
    fn a_late_look_still_tells_the_truth() {
        let (mut renewal, start) = renewal(15 * MINUTE_MS, 0.0);
        assert_eq!(renewal.take_due(at(15 * MINUTE_MS + 1), start), Due::Warn { in_ms: 0 });
        assert_eq!(renewal.take_due(at(60 * MINUTE_MS), start), Due::End);
    }

    #[test]
    fn the_next_look_is_when_something_is_due() {
        let (mut renewal, start) = renewal(15 * MINUTE_MS, 0.0);
        assert_eq!(renewal.due, start + Duration::from_millis(14 * MINUTE_MS));
        renewal.take_due(at(14 * MINUTE_MS), start);
        assert_eq!(renewal.due, start + Duration::from_millis(2 * MINUTE_MS));
    }

    #[test]
    fn neighbours_get_jitters_far_apart() {
        let jitters: Vec<f64> = (100..200).map(|id| jitter_of(SessionId::new(id))).collect();
        assert!(jitters.iter().all(|jitter| (0.0..1.0).contains(jitter)));
        for decile in 0..10 {
            let range = f64::from(decile) / 10.0..f64::from(decile + 1) / 10.0;
            let within = jitters.iter().filter(|jitter| range.contains(jitter)).count();
            assert!((5..=15).contains(&within), "{within} in {range:?}");
        }
    }
}
