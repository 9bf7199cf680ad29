//! What is said of the moment: who is online, and who types.

use std::time::Duration;

use petrel_logic::Refusal;
use petrel_logic::presence::Told;
use petrel_protocol::frame::{
    PresenceChange, PresenceQuery, PresenceState, PresenceSubscribe, RequestId, ServerFrame,
    Typing, TypingPush, UserPresence,
};
use petrel_types::limits::TYPING_EXPIRES_MS;
use petrel_types::{ConversationId, SessionId, UserId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::socket::{End, Text};
use crate::outbox::Outbox;
use crate::registry::Registry;

/// The same word about the same conversation counts once in this time.
const TYPING_INTERVAL: Duration = Duration::from_secs(1);

/// In how many conversations somebody may type within that time.
const TYPING_PLACES_MAX: usize = 4;

/// Where somebody typed of late, and what was said of it.
#[derive(Debug, Default)]
pub(super) struct TypingPace {
    said: Vec<(Place, bool, Instant)>,
}

/// A conversation as it is named.
type Place = (Option<ConversationId>, Option<UserId>);

impl TypingPace {
    /// Whether it is worth telling. What is not worth it says nothing new, or comes from
    /// nobody who has only two hands.
    fn is_news(&mut self, frame: &Typing, now: Instant) -> bool {
        self.said.retain(|(_, _, at)| *at + TYPING_INTERVAL > now);
        let place = (frame.conversation_id, frame.to);
        match self.said.iter().find(|(known, _, _)| *known == place) {
            Some((_, stopped, _)) => *stopped != frame.stopped,
            None => self.said.len() < TYPING_PLACES_MAX,
        }
    }

    fn told(&mut self, frame: &Typing, now: Instant) {
        let place = (frame.conversation_id, frame.to);
        match self.said.iter_mut().find(|(known, _, _)| *known == place) {
            // The time stays that of the first word, so that to and fro is no way around it.
            Some((_, stopped, at)) if frame.stopped => (*stopped, *at) = (true, *at),
            Some((_, stopped, at)) => (*stopped, *at) = (false, now),
            None => self.said.push((place, frame.stopped, now)),
        }
    }
}

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) async fn subscribe(
        &mut self,
        frame: PresenceSubscribe,
    ) -> Result<PresenceState, Refusal> {
        let shared = &self.gateway.shared;
        let outbox = self.outbox;
        let watch = shared.dependencies.presence.watch(
            outbox.session(),
            outbox.user(),
            frame.users,
            // What was still to be told is older than the answer.
            || drop(outbox.take_presences()),
        );
        let items = shared.admission().read(watch).await?;
        Ok(PresenceState { items })
    }

    pub(super) async fn presence(
        &mut self,
        frame: PresenceQuery,
    ) -> Result<PresenceState, Refusal> {
        let shared = &self.gateway.shared;
        let query = shared.dependencies.presence.query(self.user(), frame.users);
        let items = shared.admission().read(query).await?;
        Ok(PresenceState { items })
    }

    /// Writes what has changed of those whom the session watches.
    pub(super) async fn write_presences(&mut self) -> Result<(), End> {
        let items = self.outbox.take_presences();
        if items.is_empty() {
            return Ok(());
        }
        self.reply(ServerFrame::Presence(PresenceChange { items }), None).await
    }

    /// Tells others that the user types. Nobody is told that it was not told.
    pub(super) async fn typing(&mut self, frame: Typing, id: Option<RequestId>) -> Result<(), End> {
        let now = Instant::now();
        let pace = self.typing.get_or_insert_default();
        if !pace.is_news(&frame, now) {
            self.metrics().typing_dropped.inc();
            return Ok(());
        }
        let dependencies = &self.gateway.shared.dependencies;
        let (user, wall_clock) = (self.user(), dependencies.clock.now());
        let audience = dependencies.typing.audience(user, &frame, wall_clock);
        let audience = match self.gateway.shared.admission().read(audience).await {
            Ok(audience) => audience,
            Err(refusal) => return self.reply_if_refused(Err(refusal), id).await,
        };
        self.typing.get_or_insert_default().told(&frame, now);
        let Some(audience) = audience else { return Ok(()) };
        let push = TypingPush {
            conversation_id: audience.conversation,
            from: user,
            stopped: frame.stopped,
            expires_in_ms: if frame.stopped { 0 } else { TYPING_EXPIRES_MS },
        };
        let text: Text = ServerFrame::Typing(push).encode(None).into();
        let (mut told, mut dropped) = (0, 0);
        for user in audience.users.iter().copied() {
            self.gateway.shared.registry.for_each_session(user, |outbox| {
                match outbox.push_if_quiet(&text) {
                    true => {
                        told += 1;
                        outbox.wake();
                    }
                    false => dropped += 1,
                }
            });
        }
        self.metrics().typing_pushes.inc_by(told);
        self.metrics().typing_dropped.inc_by(dropped);
        Ok(())
    }
}

/// Brings what presence has to tell to the sessions' outboxes.
pub(crate) struct Bringing<'a> {
    registry: &'a Registry,
    touched: Vec<std::sync::Arc<Outbox>>,
}

impl<'a> Bringing<'a> {
    pub(crate) fn new(registry: &'a Registry) -> Self {
        Self { registry, touched: Vec::new() }
    }
}

impl Told for Bringing<'_> {
    fn tell(&mut self, session: SessionId, presence: UserPresence) {
        if let Some(outbox) = self.registry.session(session)
            && outbox.note_presence(presence)
        {
            self.touched.push(outbox);
        }
    }

    fn flush(&mut self) {
        self.touched.drain(..).for_each(|outbox| outbox.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_counts_once_a_second_and_only_in_a_few_places() {
        let start = Instant::now();
        let mut pace = TypingPace::default();
        let mut says = |place: u64, stopped: bool, at_ms: u64| {
            let conversation_id = Some(ConversationId::new(place));
            let frame = Typing { conversation_id, to: None, stopped };
            let now = start + Duration::from_millis(at_ms);
            let is_news = pace.is_news(&frame, now);
            if is_news {
                pace.told(&frame, now);
            }
            is_news
        };
        assert!(says(1, false, 0));
        assert!(!says(1, false, 999), "it is known");
        assert!(says(1, true, 999), "to stop is news");
        assert!(!says(1, true, 999));
        assert!(says(1, false, 1_000));
        for place in 2..=TYPING_PLACES_MAX as u64 {
            assert!(says(place, false, 1_500));
        }
        assert!(!says(9, false, 1_500));
        assert!(says(9, false, 2_000));
    }
}
