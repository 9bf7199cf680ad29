//! One session: a socket, from authentication to goodbye.
//!
//! The task that runs here is the only one that touches the socket. It reads what is
//! ready, turns requests into commands or reads, and then writes everything that
//! waits in the outbox with one flush.

mod asking;
mod authenticate;
mod call;
mod dues;
mod focus;
mod greeting;
mod live;
mod notices;
mod pace;
mod renewal;
mod requests;
mod socket;

use std::sync::Arc;

use petrel_logic::admission::{Turn, bounded};
use petrel_logic::identity::Authenticated;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{Auth, Gap, RequestId, ServerAck, ServerFrame};
use petrel_types::UserId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::Gateway;
use crate::fanout::place_of;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, Outgoing};
use crate::replacement::Bearer;
use crate::sends::Sends;
use crate::throttle::Throttle;
use crate::unacked::Unacked;
use authenticate::authenticate;
pub(crate) use authenticate::check_auth;
use call::party_of;
use focus::Heads;
pub(crate) use greeting::shown;
pub(crate) use live::Bringing;
use live::TypingPace;
use renewal::{Renewal, jitter_of};
use socket::{End, drain_end};
pub(crate) use socket::{Socket, Text};

/// How many undelivered messages a legacy session is pushed at its start.
const LEGACY_EVENTS_MAX: u32 = 200;

/// How many frames are read in a row before what they caused is written.
const FRAMES_PER_TURN: usize = 64;

/// Runs a session to its end. `authenticated` is set when a token came with the
/// upgrade request. `turn` is that of its handshake.
pub(crate) async fn run<S>(
    gateway: Gateway,
    mut socket: Socket<S>,
    authenticated: Option<(Auth, Authenticated)>,
    turn: Turn,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (auth, id, authenticated, turn) = match authenticated {
        Some((auth, authenticated)) => (auth, None, authenticated, turn),
        None => {
            // Others need not wait until it says something.
            drop(turn);
            // Boxed, so that its buffers don't stay with the task for the session's life.
            match Box::pin(authenticate(&gateway, &mut socket)).await {
                Ok(authenticated) => authenticated,
                Err(end) => return Box::pin(socket.close(end)).await,
            }
        }
    };
    let user = authenticated.user;
    let session = gateway.shared.new_session();
    let bearer = Bearer {
        user,
        login: authenticated.login,
        device: auth.device_id.as_deref().map(Into::into),
        platform: auth.platform.as_deref().map(Into::into),
    };
    let legacy = auth.v.is_none();
    let takes_heads = !legacy && auth.caps.iter().any(|cap| cap == focus::CAPABILITY);
    let marks = gateway.shared.config.slow_readers.marks;
    let outbox = Arc::new(match takes_heads {
        true => Outbox::with_heads(session, bearer, marks),
        false => Outbox::new(session, bearer, marks),
    });
    // From here on pushes are queued; they are written after AUTH_OK.
    gateway.shared.registry.insert(Arc::clone(&outbox), gateway.shared.config.session_policy);
    if let Some(ending) = gateway.shared.ending_of(user, authenticated.login) {
        outbox.end(ending);
    }
    gateway.shared.dependencies.directory.attach(user);
    gateway.shared.dependencies.calls.device_came(party_of(&outbox), &*gateway.shared);
    gateway.shared.dependencies.metrics.sessions.inc();
    tracing::debug!(%session, %user, device = auth.device_id, "session began");
    // The token is of no more use, and sessions live long.
    drop(auth);

    let mut running = Session {
        gateway: &gateway,
        socket: &mut socket,
        outbox: &outbox,
        legacy,
        sends: Sends::default(),
        unacked: Unacked::default(),
        throttle: gateway.shared.pace.throttle(user, Instant::now()),
        heads: takes_heads.then(|| Box::new(Heads::new(gateway.shared.head_interval()))),
        typing: None,
        last_inbound: Instant::now(),
        last_ping: Instant::now(),
        renewal: Renewal::new(
            authenticated.expires,
            gateway.shared.config.expiry_grace,
            jitter_of(session),
            gateway.shared.dependencies.clock.now(),
            Instant::now(),
        ),
    };
    let end = match running.serve(id, turn).await {
        // It was in the middle of a write when the node began to drain.
        End::Close(CloseCode::Slow, _) if gateway.shared.draining.is_cancelled() => {
            drain_end(session.get())
        }
        end => end,
    };

    gateway.shared.registry.remove(&outbox);
    gateway.shared.dependencies.directory.detach(user);
    gateway.shared.dependencies.presence.end(session);
    gateway.shared.dependencies.calls.device_gone(party_of(&outbox), &*gateway.shared);
    gateway.shared.dependencies.metrics.sessions.dec();
    gateway.shared.dependencies.metrics.closed(end.name());
    tracing::debug!(%session, %user, ?end, "session over");
    Box::pin(socket.close(end)).await;
}

struct Session<'a, S> {
    gateway: &'a Gateway,
    socket: &'a mut Socket<S>,
    outbox: &'a Outbox,
    legacy: bool,
    sends: Sends,
    unacked: Unacked,
    throttle: Throttle,
    /// Of a session with the capability `head`.
    heads: Option<Box<Heads>>,
    /// Of a user who types.
    typing: Option<Box<TypingPace>>,
    last_inbound: Instant,
    last_ping: Instant,
    renewal: Renewal,
}

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Says AUTH_OK and then serves until the session is over.
    async fn serve(&mut self, auth_id: Option<RequestId>, turn: Turn) -> End {
        match self.serve_until_end(auth_id, turn).await {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn serve_until_end(
        &mut self,
        auth_id: Option<RequestId>,
        turn: Turn,
    ) -> Result<std::convert::Infallible, End> {
        self.reply(self.auth_ok(), auth_id).await?;
        if self.legacy {
            Box::pin(self.push_undelivered()).await?;
        } else {
            Box::pin(self.show_notices()).await?;
        }
        self.write_outbox().await?;
        drop(turn);
        self.leave_if_told().await?;
        let draining = self.gateway.shared.draining.clone();
        loop {
            let readable = self.may_read();
            let wake_at = self.next_wake();
            tokio::select! {
                message = self.socket.next(), if readable => self.receive(message?).await?,
                () = self.outbox.woken() => {}
                () = sleep_until(wake_at) => Box::pin(self.tick(wake_at)).await?,
                () = draining.cancelled() => {
                    // What was told before, such as that a call is over.
                    self.write_outbox().await?;
                    return Err(drain_end(self.outbox.session().get()));
                }
            }
            self.receive_ready().await?;
            self.write_outbox().await?;
            self.leave_if_told().await?;
        }
    }

    /// Reads the frames that have already arrived, so that what they cause is written
    /// together.
    async fn receive_ready(&mut self) -> Result<(), End> {
        for _ in 0..FRAMES_PER_TURN {
            if !self.may_read() {
                break;
            }
            match self.socket.try_next() {
                Some(message) => self.receive(message?).await?,
                None => break,
            }
        }
        Ok(())
    }

    /// Writes everything that waits in the outbox, with one flush at the end.
    async fn write_outbox(&mut self) -> Result<(), End> {
        while let Some(next) = self.outbox.take() {
            let text = match next {
                Outgoing::Push { frame, place } => {
                    if let Some((conversation, seq)) = place {
                        self.unacked.pushed(conversation, seq, Instant::now());
                    }
                    frame
                }
                Outgoing::Gap { conversation, head } => {
                    self.metrics().gaps.inc();
                    let gap = Gap { conversation_id: conversation, head_seq: head };
                    ServerFrame::Gap(gap).encode(None).into()
                }
                Outgoing::Answer { tag, frame } => {
                    let pending = self.sends.answered(tag, frame.as_deref());
                    if let Some(pending) = &pending {
                        self.metrics().ack_seconds.observe(pending.waited().as_secs_f64());
                    }
                    if let Some(ServerFrame::Error(error)) = frame.as_deref() {
                        self.metrics().refused(error.reason);
                    }
                    let words_replaced = pending.as_ref().is_some_and(|it| it.words_replaced);
                    let id = match pending {
                        Some(pending) => pending.id,
                        None => self.sends.receipt_answered(tag),
                    };
                    let Some(mut frame) = frame else { continue };
                    if let ServerFrame::Ack(ServerAck::Saved(ack)) = &mut *frame {
                        ack.words_replaced = words_replaced;
                    }
                    frame.encode(id.as_ref()).into()
                }
            };
            self.feed(&text).await?;
        }
        self.write_heads().await?;
        self.write_presences().await?;
        self.write_notices().await?;
        self.socket.flush().await
    }

    /// A legacy client knows no SYNC: it is pushed what its user's devices have missed.
    async fn push_undelivered(&mut self) -> Result<(), End> {
        let catchup = &self.gateway.shared.dependencies.catchup;
        match bounded(catchup.undelivered(self.user(), LEGACY_EVENTS_MAX)).await {
            Ok(frames) => {
                for frame in frames {
                    if let Some((conversation, seq)) = place_of(&frame) {
                        self.unacked.pushed(conversation, seq, Instant::now());
                    }
                    self.reply(frame, None).await?;
                }
                Ok(())
            }
            Err(refusal) => self.reply(ServerFrame::Error(refusal.into_frame()), None).await,
        }
    }

    fn user(&self) -> UserId {
        self.outbox.user()
    }

    /// Queues a frame for the next flush.
    fn reply(
        &mut self,
        frame: ServerFrame,
        id: Option<RequestId>,
    ) -> impl Future<Output = Result<(), End>> {
        if let ServerFrame::Error(error) = &frame {
            self.metrics().refused(error.reason);
        }
        // Encoded at once: the text is smaller than what it says.
        let text = frame.encode(id.as_ref());
        async move { self.feed(&text).await }
    }

    fn feed(&mut self, text: &str) -> impl Future<Output = Result<(), End>> {
        self.metrics().frames_sent.inc();
        self.metrics().bytes_sent.inc_by(text.len() as u64);
        self.socket.feed(text)
    }

    fn metrics(&self) -> &Metrics {
        &self.gateway.shared.dependencies.metrics
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// The size of what an async function of four arguments returns.
    fn future_bytes<A, B, C, D, F: Future>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Every idle connection pays for the largest state that its task can be in. What is
    /// large, and soon over, is boxed (decision 0006).
    #[test]
    fn what_a_session_costs_while_it_waits_is_bounded() {
        let bytes = future_bytes(run::<TcpStream>);
        assert!(bytes <= 2560, "{bytes} bytes for every idle connection");
    }
}
