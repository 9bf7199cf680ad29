//! One session: a socket, from authentication to goodbye.
//!
//! The task that runs here is the only one that touches the socket. It reads what is
//! ready, turns requests into commands or reads, and then writes everything that
//! waits in the outbox with one flush.

mod asking;
mod authenticate;
mod call;
mod focus;
mod live;
mod notices;
mod pace;
mod renewal;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use petrel_logic::Refusal;
use petrel_logic::admission::{Turn, bounded};
use petrel_logic::budget;
use petrel_logic::identity::Authenticated;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{
    Auth, AuthOk, ClientFrame, Decoded, Error as ErrorFrame, Gap, Limits, Outcome, Pong, Rates,
    RequestId, ServerAck, ServerFrame,
};
use petrel_protocol::{ErrorReason, PROTOCOL_VERSION};
use petrel_types::UserId;
use petrel_types::limits::{
    ACK_INTERVAL_MS, ACK_ITEMS_MAX, BODY_BYTES_MAX, BODY_UTF16_UNITS_MAX, EDIT_WINDOW_MS,
    FOCUS_CONVERSATIONS_MAX, FRAME_BYTES_MAX, GROUP_CHANGE_MEMBERS_MAX, GROUP_MEMBERS_MAX,
    GROUP_TITLE_UTF16_UNITS_MAX, PULL_EVENTS_MAX, RECALL_WINDOW_MS, RETRY_WINDOW_MS,
    SENDS_IN_FLIGHT_MAX, STATE_MEMBERS_MAX, SYNC_CONVERSATIONS_MAX,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::Gateway;
use crate::fanout::place_of;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, Outgoing};
use crate::replacement::Bearer;
use crate::sends::Sends;
use crate::throttle::{NOTHING, ONE_FRAME, Throttle, costs_of};
use crate::unacked::{Due, Unacked};
use authenticate::authenticate;
pub(crate) use authenticate::check_auth;
use call::party_of;
use focus::Heads;
pub(crate) use live::Bringing;
use live::TypingPace;
use renewal::{Renewal, jitter_of};
use socket::{End, IDLE, Inbound, drain_end};
pub(crate) use socket::{Socket, Text};

/// The most events and bytes of one repeat to a session that does not acknowledge.
const REPEAT_EVENTS_MAX: u32 = 32;
const REPEAT_BYTES_MAX: usize = 16 * 1024;

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

    async fn receive(&mut self, message: Inbound) -> Result<(), End> {
        self.last_inbound = Instant::now();
        match message {
            // Boxed like whatever else is rare or short in a session's life: what it needs on
            // the way would be part of every waiting session otherwise.
            Inbound::Text(text) => Box::pin(self.handle_text(&text)).await,
            Inbound::Binary => {
                let error = ErrorFrame::new(
                    ErrorReason::BadJson,
                    "binary frames are not spoken here; send JSON in text frames",
                );
                self.reply(ServerFrame::Error(error), None).await?;
                self.charge_malformed().await
            }
            Inbound::SignOfLife => self.charge(ONE_FRAME).await,
        }
    }

    async fn handle_text(&mut self, text: &str) -> Result<(), End> {
        self.metrics().frames_received.inc();
        self.metrics().bytes_received.inc_by(text.len() as u64);
        let Decoded { id, frame } = match ClientFrame::decode(text) {
            Ok(decoded) => decoded,
            Err(error) => {
                let mut frame = ErrorFrame::new(error.reason, error.message);
                frame.client_msg_id = error.client_msg_id;
                self.reply(ServerFrame::Error(frame), error.id).await?;
                return self.charge_malformed().await;
            }
        };
        // A call must not stall because its candidates come all at once.
        let is_free = matches!(frame, ClientFrame::CallIce(_))
            && self.gateway.shared.dependencies.calls.has_room_for_candidate(self.user());
        let costs = if is_free { NOTHING } else { costs_of(&frame) };
        self.handle(frame, id).await?;
        self.charge(costs).await
    }

    async fn handle(&mut self, frame: ClientFrame, id: Option<RequestId>) -> Result<(), End> {
        match frame {
            ClientFrame::Auth(_) => self.reply(self.auth_ok(), id).await,
            ClientFrame::Reauth(frame) => self.reauthenticate(frame, id).await,
            ClientFrame::Ping(_) => {
                let pong = Pong { ts: self.gateway.shared.dependencies.clock.now() };
                self.reply(ServerFrame::Pong(pong), id).await
            }
            ClientFrame::SingleChat(frame) => self.send(frame, id).await,
            ClientFrame::GroupChat(frame) => self.send(frame, id).await,
            ClientFrame::MessageRevoke(frame) => self.revoke(frame, id).await,
            ClientFrame::MessageEdit(frame) => self.edit(frame, id).await,
            ClientFrame::Reaction(frame) => self.react(frame, id).await,
            ClientFrame::MessagePin(frame) => self.pin(frame, id).await,
            ClientFrame::MessageHide(frame) => self.send(frame, id).await,
            ClientFrame::ConversationSettings(frame) => self.send(frame, id).await,
            ClientFrame::Readers(request) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.readers(self.user(), &request);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::ReaderState), id).await
            }
            ClientFrame::GroupCreate(frame) => self.send(frame, id).await,
            ClientFrame::GroupAdd(frame) => self.send(frame, id).await,
            ClientFrame::GroupRemove(frame) => self.send(frame, id).await,
            ClientFrame::GroupLeave(frame) => self.send(frame, id).await,
            ClientFrame::GroupRole(frame) => self.send(frame, id).await,
            ClientFrame::GroupTitle(frame) => self.send(frame, id).await,
            ClientFrame::GroupDissolve(frame) => self.send(frame, id).await,
            ClientFrame::GroupSettings(frame) => self.send(frame, id).await,
            ClientFrame::GroupMember(frame) => self.send(frame, id).await,
            ClientFrame::GroupAnswer(frame) => self.send(frame, id).await,
            ClientFrame::GroupInvitation(frame) => self.send(frame, id).await,
            ClientFrame::GroupInvitations(request) => {
                let contacts = &self.gateway.shared.dependencies.contacts;
                let read = contacts.invitations(self.user(), &request);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::GroupInvitationState), id).await
            }
            ClientFrame::GroupInvited(request) => {
                let dependencies = &self.gateway.shared.dependencies;
                let now = dependencies.clock.now();
                let read = dependencies.catchup.invited(self.user(), &request, now);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::GroupInvitedState), id).await
            }
            ClientFrame::GroupWithdraw(frame) => self.send(frame, id).await,
            ClientFrame::GroupJoin(frame) => self.join(frame, id).await,
            ClientFrame::GroupRequests(request) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.requests(self.user(), &request);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::GroupRequestState), id).await
            }
            ClientFrame::Contact(frame) => self.change_contact(frame, id).await,
            ClientFrame::Contacts(request) => {
                let contacts = &self.gateway.shared.dependencies.contacts;
                let read = contacts.list(self.user(), &request);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::ContactState), id).await
            }
            ClientFrame::Ack(ack) => {
                let outcome = self.receipts(ack, id.clone()).await;
                self.reply_if_refused(outcome, id).await
            }
            ClientFrame::Sync(sync) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.sync(self.user(), &sync);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::SyncState), id).await
            }
            ClientFrame::Pull(pull) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.pull(self.user(), &pull);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::Events), id).await
            }
            ClientFrame::Conversation(request) => {
                let catchup = &self.gateway.shared.dependencies.catchup;
                let read = catchup.conversation(self.user(), &request);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::ConversationState), id).await
            }
            ClientFrame::Search(request) => {
                let search = &self.gateway.shared.dependencies.search;
                let read = search.find(self.user(), &request);
                let answer = self.gateway.shared.admission().read(read).await;
                self.reply_or_refuse(answer.map(ServerFrame::Found), id).await
            }
            ClientFrame::Focus(focus) => {
                let answer = self.focus(focus).await;
                self.reply_or_refuse(answer.map(ServerFrame::Focused), id).await
            }
            ClientFrame::PresenceSubscribe(frame) => {
                let answer = self.subscribe(frame).await;
                self.reply_or_refuse(answer.map(ServerFrame::PresenceState), id).await
            }
            ClientFrame::PresenceQuery(frame) => {
                let answer = self.presence(frame).await;
                self.reply_or_refuse(answer.map(ServerFrame::PresenceState), id).await
            }
            ClientFrame::Typing(frame) => self.typing(frame, id).await,
            ClientFrame::CallOffer(frame) => self.call(frame, id).await,
            ClientFrame::CallAnswer(frame) => self.answer_call(frame, id).await,
            ClientFrame::CallIce(frame) => self.candidate(frame, id).await,
            ClientFrame::CallHangup(frame) => self.hang_up(frame, id).await,
            ClientFrame::CallReject(frame) => self.reject_call(frame, id).await,
            ClientFrame::Turn(_) => {
                let dependencies = &self.gateway.shared.dependencies;
                let now = dependencies.clock.now();
                let credentials = dependencies.turn.credentials(self.user(), now);
                self.reply(ServerFrame::TurnCredentials(credentials), id).await
            }
        }
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

    /// What is due by time: overdue answers, pings, and giving up on a silent peer. It was
    /// to come at `due`.
    async fn tick(&mut self, due: Instant) -> Result<(), End> {
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

    fn next_wake(&self) -> Instant {
        let life = self.next_ping().min(self.silent_from()).min(self.renewal.due);
        let heads = self.heads.as_ref().and_then(|heads| heads.next_due());
        let pause = self.throttle.paused_until();
        let due = [self.sends.next_deadline(), self.unacked.next_due(), heads, pause];
        due.into_iter().flatten().fold(life, Instant::min)
    }

    fn next_ping(&self) -> Instant {
        self.last_inbound.max(self.last_ping) + self.gateway.shared.config.heartbeat.ping_interval
    }

    /// When the peer has been silent for too long, if it stays silent.
    fn silent_from(&self) -> Instant {
        self.last_inbound + self.gateway.shared.config.heartbeat.idle_timeout
    }

    fn user(&self) -> UserId {
        self.outbox.user()
    }

    fn auth_ok(&self) -> ServerFrame {
        let shared = &self.gateway.shared;
        ServerFrame::AuthOk(AuthOk {
            v: PROTOCOL_VERSION,
            from: self.user(),
            session_id: self.outbox.session(),
            epoch: shared.dependencies.epoch,
            ts: shared.dependencies.clock.now(),
            caps: self.heads.iter().map(|_| focus::CAPABILITY.to_owned()).collect(),
            limits: Limits {
                frame_bytes: FRAME_BYTES_MAX as u64,
                body_units: BODY_UTF16_UNITS_MAX as u64,
                body_bytes: BODY_BYTES_MAX as u64,
                sends_in_flight: SENDS_IN_FLIGHT_MAX as u64,
                pull_events: PULL_EVENTS_MAX,
                group_members: GROUP_MEMBERS_MAX as u64,
                change_members: GROUP_CHANGE_MEMBERS_MAX as u64,
                title_units: GROUP_TITLE_UTF16_UNITS_MAX as u64,
                state_members: STATE_MEMBERS_MAX,
                sync_conversations: SYNC_CONVERSATIONS_MAX,
                ack_items: ACK_ITEMS_MAX as u64,
                ack_interval_ms: ACK_INTERVAL_MS,
                focus_conversations: FOCUS_CONVERSATIONS_MAX as u64,
                head_members: shared.config.limits.head_members.into(),
                recall_window_ms: RECALL_WINDOW_MS,
                edit_window_ms: EDIT_WINDOW_MS,
                retry_window_ms: RETRY_WINDOW_MS,
                ping_interval_ms: milliseconds(shared.config.heartbeat.ping_interval),
                idle_timeout_ms: milliseconds(shared.config.heartbeat.idle_timeout),
                rates: shown(&shared.pace.of_session()),
            },
        })
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

    async fn reply_or_refuse(
        &mut self,
        answer: Result<ServerFrame, Refusal>,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        let frame = answer.unwrap_or_else(|refusal| ServerFrame::Error(refusal.into_frame()));
        self.reply(frame, id).await
    }

    async fn reply_if_refused(
        &mut self,
        outcome: Result<(), Refusal>,
        id: Option<RequestId>,
    ) -> Result<(), End> {
        match outcome {
            Ok(()) => Ok(()),
            Err(refusal) => self.reply(ServerFrame::Error(refusal.into_frame()), id).await,
        }
    }
}

pub(crate) fn shown(rates: &budget::Rates) -> Rates {
    let (frames, sends, reads) = (rates.frames(), rates.sends(), rates.reads());
    Rates {
        frames_per_second: frames.per_second(),
        frames_burst: frames.burst(),
        sends_per_second: sends.per_second(),
        sends_burst: sends.burst(),
        reads_per_second: reads.per_second(),
        reads_burst: reads.burst(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
