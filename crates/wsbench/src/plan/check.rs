//! What can't be is refused before the run, with what to do about it.

use super::{BadPlan, Plan};
use crate::adapter::{AdapterKind, XZLL_TEXT_BYTES_MAX};
use crate::scenario::{Disruption, Scenario};
use crate::span::Span;
use crate::stamp::STAMP_BYTES;

impl Plan {
    pub(super) fn check(&self, scenario: &dyn Scenario) -> Result<(), BadPlan> {
        let wrong = |text: String| Err(BadPlan(text));
        if self.targets.is_empty() {
            return wrong("there is no target; give --target ws://HOST:PORT/PATH".to_owned());
        }
        let finite = [
            self.sender_rate,
            self.flap_percent,
            self.slow_percent,
            self.no_read_percent,
            self.churn_percent,
        ];
        if finite.iter().any(|number| !number.is_finite() || *number < 0.0) {
            return wrong(
                "rates and percentages are numbers from 0, intervals are not 0".to_owned(),
            );
        }
        if let Some(rate) = self.total_rate
            && !(rate > 0.0 && rate.is_finite())
        {
            return wrong(format!("--rate {rate} is not a rate"));
        }
        if self.slow_percent + self.no_read_percent > 100.0 || self.flap_percent > 100.0 {
            return wrong("percentages add up to more than 100".to_owned());
        }
        if self.churn_percent > 100.0 {
            return wrong("--churn-percent is at most 100".to_owned());
        }
        if !self.sizes.is_sorted_by(|one, next| one < next) {
            return wrong("--sizes rise, as 100,1000,10000".to_owned());
        }
        if self.rate_factor <= 1.0 || !self.rate_factor.is_finite() || self.rate_from == 0 {
            return wrong("--rate-from is at least 1, --rate-factor more than 1".to_owned());
        }
        if self.step.0.is_zero() || self.flap_interval.0.is_zero() {
            return wrong("--step and --flap-interval are longer than 0".to_owned());
        }
        if self.group_senders == 0 || self.group_senders > self.group_size {
            return wrong("--group-senders is at least 1 and at most --group-size".to_owned());
        }
        if u64::from(self.payload_size) < STAMP_BYTES as u64 || self.payload_size > 1 << 20 {
            return wrong(format!(
                "--payload-size {} is not between {STAMP_BYTES} and 1048576: each message carries \
                 a stamp of {STAMP_BYTES} bytes by which it is recognised, timed and checked",
                self.payload_size
            ));
        }
        if self.adapter == AdapterKind::Petrel {
            if self.payload_size > petrel_types::limits::BODY_UTF16_UNITS_MAX as u32 {
                return wrong(format!(
                    "--payload-size {} is more than the {} characters that Petrel takes",
                    self.payload_size,
                    petrel_types::limits::BODY_UTF16_UNITS_MAX
                ));
            }
            let most = petrel_types::limits::GROUP_MEMBERS_MAX as u32;
            if self.group_size > most {
                return wrong(format!(
                    "--group-size {} is more than the {most} members that a group of Petrel has",
                    self.group_size
                ));
            }
            let last = self.user_base + u64::from(self.conns) - 1;
            if petrel_types::UserId::new(last).is_local() || self.user_base == 0 {
                return wrong(format!(
                    "users {} to {last} are not load-test users: those have ids from 1 to 10000000000",
                    self.user_base
                ));
            }
        }
        self.check_reference_systems(scenario)?;
        let behaviour = scenario.behaviour(self).disturbed(self);
        if matches!(behaviour.disruption, Disruption::RisingRate { .. }) && self.in_flight.is_some()
        {
            return wrong(format!(
                "{} sends by its steps, whatever the server does: --in-flight, which waits for \
                 answers, has no place in it",
                self.scenario
            ));
        }
        if let Some(missing) = behaviour.missing(self.abilities()) {
            return wrong(format!(
                "{} needs a server with {missing}, which the adapter {} does not have",
                self.scenario,
                self.adapter.name()
            ));
        }
        let unit = behaviour.cast.unit();
        if self.conns < unit || !self.conns.is_multiple_of(unit) {
            return wrong(format!(
                "{} needs connections in groups of {unit}: --conns {} is not a multiple",
                self.scenario, self.conns
            ));
        }
        if self.conns >= 1 << 30 {
            return wrong("at most 2^30 connections".to_owned());
        }
        Ok(())
    }
}

/// How long an access token of EthanQC/IM lasts, less some time to log everybody in.
const ETHANQC_DURATION_MAX: Span = Span::seconds(14 * 60);

impl Plan {
    /// What the reference systems can't do.
    fn check_reference_systems(&self, scenario: &dyn Scenario) -> Result<(), BadPlan> {
        let wrong = |text: String| Err(BadPlan(text));
        let talks = scenario.behaviour(self).cast.talks();
        match self.adapter {
            AdapterKind::MiniIm if self.payload_size > 4096 => wrong(format!(
                "--payload-size {} is more than the 4096 characters that mini-im takes",
                self.payload_size
            )),
            AdapterKind::Xzll if self.payload_size > XZLL_TEXT_BYTES_MAX => wrong(format!(
                "--payload-size {} is more than the {XZLL_TEXT_BYTES_MAX} bytes that xzll-im takes",
                self.payload_size
            )),
            AdapterKind::EthanQc if talks && self.duration > ETHANQC_DURATION_MAX => {
                wrong(format!(
                    "--duration {} is longer than the access tokens of EthanQC/IM last: at most \
                 {ETHANQC_DURATION_MAX} with messages",
                    self.duration
                ))
            }
            AdapterKind::EthanQc => self.http_authority().map(drop).map_err(BadPlan),
            _ => Ok(()),
        }
    }
}

/// A header of the command line.
pub(super) fn header(text: &str) -> Result<(String, String), BadPlan> {
    let valid = |text: &str| !text.is_empty() && !text.contains(['\r', '\n']);
    text.split_once(':')
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .filter(|(name, value)| valid(name) && valid(value) && !name.contains(' '))
        .ok_or_else(|| BadPlan(format!("{text:?} is not a header; write -H 'Name: value'")))
}
