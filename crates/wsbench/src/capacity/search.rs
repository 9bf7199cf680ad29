//! Looking for the largest load that a system carries, by trials that may go either way.
//!
//! Loads double until one fails, and then the gap between the largest that passed and the
//! smallest that failed is halved (on a logarithmic scale) until it is small. Each load is
//! tried several times, and what most trials say decides.
//!
//! The interval needs no assumption about how trials scatter, only that a higher load
//! never passes more easily. Take as capacity the load at which a trial passes half of the
//! time. At any load above it a trial passes with a chance of at most one half, so that n
//! of n trials pass there with a chance of at most 0.5^n; and the other way round below
//! it. So the capacity lies between the largest load of which all n trials passed and the
//! smallest of which all failed, with a confidence of 1 − 2 · 0.5^n (the sign test's
//! interval for a median).

/// The most loads that are tried.
const LEVELS_MAX: usize = 40;

/// What became of one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The system carried the load.
    Passed,
    /// It did not.
    Failed,
    /// The generator did not: nobody knows whether the system would have.
    Unknown,
}

/// What became of all trials of one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The load.
    pub load: f64,
    /// What became of each.
    pub trials: Vec<Trial>,
}

impl Level {
    fn count(&self, wanted: Trial) -> usize {
        self.trials.iter().filter(|trial| **trial == wanted).count()
    }

    /// Most trials passed.
    pub fn is_carried(&self) -> bool {
        2 * self.count(Trial::Passed) > self.trials.len()
    }

    /// The generator was the limit in most of the trials that did not pass.
    pub fn is_unknown(&self) -> bool {
        !self.is_carried() && self.count(Trial::Unknown) > self.count(Trial::Failed)
    }

    fn all_are(&self, wanted: Trial) -> bool {
        self.count(wanted) == self.trials.len()
    }
}

/// How to look.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The first load.
    pub from: f64,
    /// The largest that is tried.
    pub to: f64,
    /// How close is close enough: 0.05 is 5 %.
    pub tolerance: f64,
    /// Loads are multiples of this.
    pub grain: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// All loads that were tried, in order of the trials.
    pub levels: Vec<Level>,
    /// The largest load that was carried; none if the first one was not.
    pub carried: Option<f64>,
    /// The capacity is at least this, with the confidence of the interval; 0 if nothing
    /// was found that always passed.
    pub at_least: f64,
    /// And at most this; none if nothing was found that always failed.
    pub at_most: Option<f64>,
    /// The generator was the limit: the system may carry more.
    pub generator_limit: bool,
}

/// The confidence of an interval between all-of-n and none-of-n, in percent.
pub fn confidence_percent(trials: u32) -> f64 {
    100.0 * (1.0 - 2.0 * 0.5f64.powi(trials as i32)).max(0.0)
}

impl Search {
    /// Looks. `probe` tries a load as often as it is to be tried.
    pub fn run<E>(&self, mut probe: impl FnMut(f64) -> Result<Level, E>) -> Result<Found, E> {
        let mut levels = Vec::new();
        let (mut carried, mut failed) = (None, None);
        let mut next = Some(self.round(self.from));
        while let Some(load) = next.filter(|_| levels.len() < LEVELS_MAX) {
            let level = probe(load)?;
            if level.is_carried() {
                carried = Some(load)
            } else {
                failed = Some(load)
            }
            levels.push(level);
            next = self.next(carried, failed);
        }
        Ok(self.found(levels, carried, failed))
    }

    fn next(&self, carried: Option<f64>, failed: Option<f64>) -> Option<f64> {
        let load = match (carried, failed) {
            (None, _) => return None,
            (Some(carried), None) if carried >= self.to => return None,
            (Some(carried), None) => self.round((2.0 * carried).min(self.to)),
            (Some(carried), Some(failed)) if failed <= carried * (1.0 + self.tolerance) => {
                return None;
            }
            (Some(carried), Some(failed)) => self.round((carried * failed).sqrt()),
        };
        // Between two neighbours there is nothing to try.
        (Some(load) != carried && Some(load) != failed).then_some(load)
    }

    fn round(&self, load: f64) -> f64 {
        (load / self.grain).round().max(1.0) * self.grain
    }

    fn found(&self, levels: Vec<Level>, carried: Option<f64>, failed: Option<f64>) -> Found {
        let at_most = levels
            .iter()
            .filter(|level| level.all_are(Trial::Failed))
            .map(|level| level.load)
            .min_by(f64::total_cmp);
        // A load beyond one that always failed says nothing, whatever luck it had.
        let at_least = levels
            .iter()
            .filter(|level| level.all_are(Trial::Passed))
            .map(|level| level.load)
            .filter(|load| at_most.is_none_or(|most| *load < most))
            .max_by(f64::total_cmp);
        let edge = levels.iter().find(|level| Some(level.load) == failed);
        let generator_limit = edge.is_some_and(Level::is_unknown);
        Found { carried, at_least: at_least.unwrap_or(0.0), at_most, generator_limit, levels }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    const SEARCH: Search = Search { from: 100.0, to: 1e6, tolerance: 0.05, grain: 10.0 };

    fn look(search: Search, trial: impl FnMut(f64) -> Trial) -> Found {
        let mut trial = trial;
        let probe = |load| {
            Ok::<_, Infallible>(Level { load, trials: (0..5).map(|_| trial(load)).collect() })
        };
        search.run(probe).unwrap_or_else(|never| match never {})
    }

    #[test]
    fn a_sharp_limit_is_found_within_the_tolerance() {
        for limit in [100.0, 137.0, 5_000.0, 99_000.0] {
            let found =
                look(SEARCH, |load| if load <= limit { Trial::Passed } else { Trial::Failed });
            let carried = found.carried.unwrap();
            assert!(carried <= limit && limit < carried * 1.05 + 10.0, "{limit}: {found:?}");
            assert_eq!((found.at_least, found.generator_limit), (carried, false));
            assert!(found.at_most.unwrap() > limit);
        }
    }

    #[test]
    fn what_never_passes_and_what_never_fails_says_so() {
        let found = look(SEARCH, |_| Trial::Failed);
        assert_eq!((found.carried, found.at_least, found.at_most), (None, 0.0, Some(100.0)));
        let found = look(Search { to: 5000.0, ..SEARCH }, |_| Trial::Passed);
        assert_eq!((found.carried, found.at_most), (Some(5000.0), None));
    }

    #[test]
    fn the_generators_limit_is_not_the_systems() {
        let found = look(SEARCH, |load| if load <= 900.0 { Trial::Passed } else { Trial::Unknown });
        assert!(found.generator_limit);
        // Nothing failed, so nothing is known from above.
        assert_eq!(found.at_most, None);
        assert!((850.0..=900.0).contains(&found.at_least), "{found:?}");
    }

    #[test]
    fn the_interval_holds_as_often_as_it_says() {
        // A trial passes with a chance that falls from 1 to 0 between 500 and 2,000 and is
        // one half at 1,000.
        let mut random = fastrand::Rng::with_seed(7);
        let runs = 2000;
        let mut covered = 0;
        for _ in 0..runs {
            let found = look(SEARCH, |load| {
                let chance = 1.0 / (1.0 + (load / 1000.0).powi(6));
                if random.f64() < chance { Trial::Passed } else { Trial::Failed }
            });
            let above = found.at_most.is_none_or(|most| 1000.0 <= most);
            covered += u32::from(found.at_least <= 1000.0 && above);
        }
        let share = 100.0 * f64::from(covered) / f64::from(runs);
        assert!(share >= confidence_percent(5), "{share} {}", confidence_percent(5));
        assert_eq!(confidence_percent(5), 93.75);
        assert_eq!(confidence_percent(1), 0.0);
    }

    proptest! {
        #[test]
        fn it_always_ends_with_its_ends_in_order(chances in proptest::collection::vec(any::<bool>(), 300)) {
            let mut chances = chances.into_iter().cycle();
            let found = look(SEARCH, |_| {
                if chances.next() == Some(true) { Trial::Passed } else { Trial::Failed }
            });
            prop_assert!(found.levels.len() <= LEVELS_MAX);
            prop_assert!(found.at_most.is_none_or(|most| found.at_least < most));
        }
    }
}
