//! Who is there, and what others have been told of it.
//!
//! Where a protocol tells users who of the others comes and goes, connections that stay
//! follow those of their group that don't. The time from a change to each of its followers
//! is what is measured. A server may keep a departure to itself for a while, or for good if
//! the user is back soon, and may put several changes into one; in the end, though, everybody
//! who is there must be known to be there.

use std::collections::HashMap;

use super::engine::{Engine, Phase};
use crate::adapter::FrameWriter;
use crate::clock::Nanos;
use crate::metrics::{Counters, Timing};

/// Who is there, and what others have been told of it.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Whether each connection is there, and since when.
    states: Vec<(bool, Nanos)>,
    /// What a follower was last told of somebody; none if it waits for the first word.
    told: HashMap<(u32, u32), Option<bool>>,
}

/// What to think of something that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The first word of a change that happened then.
    News(Nanos),
    /// What was known, what has changed again since, or the first word of all.
    Known,
    /// Nobody asked.
    Unasked,
}

impl Presence {
    fn follow(&mut self, follower: u32, other: u32) {
        self.told.insert((follower, other), None);
    }

    fn changed(&mut self, index: u32, there: bool, now: Nanos) {
        let index = index as usize;
        if self.states.len() <= index {
            self.states.resize(index + 1, (false, 0));
        }
        self.states[index] = (there, now);
    }

    fn is_there(&self, index: u32) -> (bool, Nanos) {
        self.states.get(index as usize).copied().unwrap_or_default()
    }

    fn told(&mut self, follower: u32, other: u32, there: bool) -> Told {
        let (is_there, since) = self.is_there(other);
        let Some(told) = self.told.get_mut(&(follower, other)) else { return Told::Unasked };
        match told.replace(there) {
            Some(before) if before != there && there == is_there => Told::News(since),
            _ => Told::Known,
        }
    }

    /// A follower was told of somebody, or of nobody who is here: counts it, and returns what
    /// is timed by it, and since when.
    fn heard(
        &mut self,
        follower: u32,
        other: Option<u32>,
        there: bool,
        counters: &mut Counters,
    ) -> Option<(Timing, Nanos)> {
        counters.presences_told += 1;
        match other.map(|other| self.told(follower, other, there)) {
            Some(Told::News(since)) => {
                Some((if there { Timing::Arrival } else { Timing::Departure }, since))
            }
            Some(Told::Known) => None,
            Some(Told::Unasked) | None => {
                counters.unmatched_answers += 1;
                None
            }
        }
    }

    /// The end: counts who does not know that somebody is there.
    fn count_wrong(&self, counters: &mut Counters) {
        counters.presences_wrong = self.wrong();
    }

    /// How many followers who are there don't know of somebody that they are, too.
    fn wrong(&self) -> u64 {
        let is_there = |index| self.is_there(index).0;
        let wrong = self.told.iter().filter(|((follower, other), told)| {
            **told != Some(true) && is_there(*follower) && is_there(*other)
        });
        wrong.count() as u64
    }
}

impl Engine {
    /// The run begins: those who stay follow those of their group who don't.
    pub(super) fn begin_following(&mut self) {
        if !self.behaviour.follows {
            return;
        }
        for follower in 0..self.sessions.len() as u32 {
            self.follow(follower);
        }
    }

    /// A connection asks to be told who of its group comes and goes, if it stays itself.
    pub(super) fn follow(&mut self, follower: u32) {
        let is_running = matches!(self.phase, Phase::Run(_) | Phase::Drain(_));
        let goes = |index: &u32| self.flapping.binary_search(index).is_ok();
        if !self.behaviour.follows || !is_running || goes(&follower) {
            return;
        }
        let seat = self.seat(follower);
        let unit = self.behaviour.cast.unit();
        let group = follower / unit * unit..(follower / unit + 1) * unit;
        let most = self.abilities.presence as usize;
        let others: Vec<u32> = group.filter(goes).take(most).collect();
        let session = &mut self.sessions[follower as usize];
        if others.is_empty() || !session.is_live() {
            return;
        }
        let first = self.plan.user_base + u64::from(self.first);
        let mut users = others.iter().map(|other| first + u64::from(*other));
        if let Some(adapter) = &mut self.adapter {
            let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
            adapter.follow(seat, &mut users, &mut writer);
        }
        for other in others {
            self.presence.follow(follower, other);
        }
        self.mark_dirty(follower);
    }

    /// A connection came to stand, or is gone.
    pub(super) fn came_or_went(&mut self, index: u32, there: bool) {
        if self.behaviour.follows {
            self.presence.changed(index, there, self.now);
        }
    }

    /// A connection was told whether a user is there.
    pub(super) fn presence_told(&mut self, follower: u32, user: u64, there: bool) {
        let first = self.plan.user_base + u64::from(self.first);
        let other = user.checked_sub(first).and_then(|other| u32::try_from(other).ok());
        let news = self.presence.heard(follower, other, there, &mut self.metrics.counters);
        if let Some((timing, since)) = news
            && self.is_measured(since)
            && since >= self.untimed_before
        {
            self.metrics.time(timing, since, self.now);
        }
    }

    /// Whether everybody knows who is there.
    pub(super) fn presence_is_known(&self) -> bool {
        self.presence.wrong() == 0
    }

    /// The end: counts who does not know that somebody is there.
    pub(super) fn count_wrong_presence(&mut self) {
        self.presence.count_wrong(&mut self.metrics.counters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connection 0 follows 1, which came at 10.
    fn following() -> Presence {
        let mut presence = Presence::default();
        presence.changed(0, true, 5);
        presence.changed(1, true, 10);
        presence.follow(0, 1);
        presence
    }

    #[test]
    fn the_first_word_of_a_change_is_news_once() {
        let mut presence = following();
        assert_eq!(presence.told(0, 1, true), Told::Known);
        presence.changed(1, false, 20);
        assert_eq!(presence.told(0, 1, false), Told::News(20));
        assert_eq!(presence.told(0, 1, false), Told::Known);
        presence.changed(1, true, 30);
        assert_eq!(presence.told(0, 1, true), Told::News(30));
    }

    #[test]
    fn a_word_that_is_out_of_date_is_no_news_and_wrong_until_it_is_mended() {
        let mut presence = following();
        presence.told(0, 1, true);
        presence.changed(1, false, 20);
        presence.changed(1, true, 30);
        assert_eq!(presence.told(0, 1, false), Told::Known);
        assert_eq!(presence.wrong(), 1);
        assert_eq!(presence.told(0, 1, true), Told::News(30));
        assert_eq!(presence.wrong(), 0);
    }

    #[test]
    fn who_was_never_told_does_not_know() {
        let mut presence = following();
        assert_eq!(presence.wrong(), 1);
        // Of those who are gone nothing need be known, nor by them.
        presence.changed(1, false, 20);
        assert_eq!(presence.wrong(), 0);
        presence.changed(1, true, 30);
        presence.changed(0, false, 40);
        assert_eq!(presence.wrong(), 0);
        assert_eq!(presence.told(1, 0, false), Told::Unasked);
    }
    #[test]
    fn every_word_is_counted_once_and_as_what_it_is() {
        let mut presence = following();
        let mut counters = Counters::default();
        let mut heard =
            |presence: &mut Presence, other, there| presence.heard(0, other, there, &mut counters);
        assert_eq!(heard(&mut presence, Some(1), true), None, "the first word of all");
        presence.changed(1, false, 20);
        assert_eq!(heard(&mut presence, Some(1), false), Some((Timing::Departure, 20)));
        presence.changed(1, true, 30);
        assert_eq!(heard(&mut presence, Some(1), true), Some((Timing::Arrival, 30)));
        // Of somebody whom nobody follows, and of nobody who is here.
        assert_eq!(heard(&mut presence, Some(2), true), None);
        assert_eq!(heard(&mut presence, None, true), None);
        assert_eq!((counters.presences_told, counters.unmatched_answers), (5, 2));
        presence.count_wrong(&mut counters);
        assert_eq!(counters.presences_wrong, 0);
        presence.told(0, 1, false);
        presence.count_wrong(&mut counters);
        assert_eq!(counters.presences_wrong, 1);
    }
}
