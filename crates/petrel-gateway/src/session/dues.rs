//! What a session does by time: overdue answers, reminders, pings, and giving up on a peer
//! that is silent.

use petrel_logic::admission::bounded;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Error as ErrorFrame, Gap, Outcome, ServerFrame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::{End, IDLE};
use crate::unacked::Due;

/// The most events and bytes of one repeat to a session that does not acknowledge.
const REPEAT_EVENTS_MAX: u32 = 32;
const REPEAT_BYTES_MAX: usize = 16 * 1024;

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// When there is something to do, should nothing happen before.
    pub(super) fn next_wake(&self) -> Instant {
        let life = self.next_ping().min(self.silent_from()).min(self.renewal.due);
        let heads = self.heads.as_ref().and_then(|heads| heads.next_due());
        let pause = self.throttle.paused_until();
        let due = [self.sends.next_deadline(), self.unacked.next_due(), heads, pause];
        due.into_iter().flatten().fold(life, Instant::min)
    }

    /// What is due by time: overdue answers, pings, and giving up on a silent peer. It was
    /// to come at `due`.
    pub(super) async fn tick(&mut self, due: Instant) -> Result<(), End> {
        let now = Instant::now();
        // A time in which this process did not run is no silence of the peer's; and what has
        // arrived meanwhile breaks it.
        let late = now - due;
        if late >= self.gateway.shared.config.heartbeat.ping_interval {
            self.last_inbound = (self.last_inbound + late).min(now);
        }
        self.receive_ready().await?;
        for pending in self.sends.take_overdue(now) {
            let mut frame = ErrorFrame::new(
                ErrorReason::Timeout,
                "no answer in time; send it again with retry: true to learn what became of it",
            );
            frame.client_msg_id = Some(pending.client_message_id);
            frame.outcome = Some(Outcome::Unknown);
            self.reply(ServerFrame::Error(frame), pending.id).await?;
        }
        self.give_up_if_silent(now)?;
        if now >= self.renewal.due {
            self.look_after_token().await?;
        }
        for due in self.unacked.take_due(now) {
            self.remind(due).await?;
        }
        if now >= self.next_ping() {
            self.last_ping = now;
            self.socket.ping();
        }
        Ok(())
    }

    fn give_up_if_silent(&mut self, now: Instant) -> Result<(), End> {
        if now < self.silent_from() {
            return Ok(());
        }
        if !self.may_read() {
            // Who is not listened to is not silent.
            self.last_inbound = now;
            return Ok(());
        }
        Err(IDLE)
    }

    /// Repeats what was not acknowledged, or says that there is something to pull.
    async fn remind(&mut self, due: Due) -> Result<(), End> {
        match due {
            Due::Repeat { conversation, after } => {
                // A session that still has something to read is slow, not forgetful.
                if !self.outbox.is_empty() {
                    return Ok(());
                }
                let catchup = &self.gateway.shared.dependencies.catchup;
                let (limit, bytes_max) = (REPEAT_EVENTS_MAX, REPEAT_BYTES_MAX);
                let repeat = catchup.repeat(self.user(), conversation, after, limit, bytes_max);
                // If it fails there is nothing to repeat now; the next one is due later.
                for (_, frame) in bounded(repeat).await.unwrap_or_default() {
                    self.metrics().repeats.inc();
                    self.reply(frame, None).await?;
                }
                Ok(())
            }
            Due::GiveUp { conversation, head } => {
                self.metrics().gaps.inc();
                let gap = Gap { conversation_id: conversation, head_seq: head };
                self.reply(ServerFrame::Gap(gap), None).await
            }
        }
    }

    fn next_ping(&self) -> Instant {
        self.last_inbound.max(self.last_ping) + self.gateway.shared.config.heartbeat.ping_interval
    }

    /// When the peer has been silent for too long, if it stays silent.
    fn silent_from(&self) -> Instant {
        self.last_inbound + self.gateway.shared.config.heartbeat.idle_timeout
    }
}
