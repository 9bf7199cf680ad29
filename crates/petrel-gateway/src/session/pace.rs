//! How fast a session is read, and what becomes of one that is too fast for too long.

use petrel_logic::budget::Costs;
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{Error as ErrorFrame, ServerFrame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::End;
use crate::metrics::Limit;
use crate::throttle::Verdict;

/// How long somebody should stay away who was sent away for abuse, in milliseconds.
const BANNED_MS: u64 = 60_000;

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Whether the socket is to be read: there is room for another send, and the session
    /// is not over its rates.
    pub(super) fn may_read(&mut self) -> bool {
        let is_paused = self.throttle.paused_until().is_some();
        self.sends.has_room() && (!is_paused || self.throttle.may_read(Instant::now()))
    }

    /// A frame came and was carried out.
    pub(super) async fn charge(&mut self, costs: Costs) -> Result<(), End> {
        let verdict = self.throttle.spend(&self.gateway.shared.pace, costs, self.last_inbound);
        self.keep_pace(verdict).await
    }

    /// A frame came that can't be read.
    pub(super) async fn charge_malformed(&mut self) -> Result<(), End> {
        let pace = &self.gateway.shared.pace;
        let verdict = self.throttle.spend_malformed(pace, self.last_inbound);
        self.keep_pace(verdict).await
    }

    async fn keep_pace(&mut self, verdict: Verdict) -> Result<(), End> {
        match verdict {
            Verdict::Fine | Verdict::Over { tell_retry_after_ms: None } => Ok(()),
            Verdict::Over { tell_retry_after_ms: Some(retry_after_ms) } => {
                self.metrics().met(Limit::Rate);
                let message = "you send faster than limits.rates allows; nothing was lost, but it \
                               is read no faster";
                let mut frame = ErrorFrame::new(ErrorReason::TooManyRequests, message);
                frame.retry_after_ms = Some(retry_after_ms);
                tracing::debug!(
                    session = %self.outbox.session(),
                    user = %self.user(),
                    "a session is over its rates"
                );
                self.reply(ServerFrame::Error(frame), None).await
            }
            Verdict::Abuse => {
                tracing::info!(
                    session = %self.outbox.session(),
                    user = %self.user(),
                    "sent a session away that floods, or that can't be understood"
                );
                Err(End::Close(CloseCode::Banned, Some(BANNED_MS)))
            }
        }
    }
}
