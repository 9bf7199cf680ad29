//! Limits that admins change while the server runs: what they may be, how long they hold, and
//! the record of it.
//!
//! A change holds over a restart unless it is said not to: what was tightened in an incident
//! must not open again because the server went down in it. What was changed is shown beside
//! what is configured, and `null` goes back to that.

use std::collections::BTreeMap;

use bytes::Bytes;
use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{
    AdminLimit, AdminLimits, AdminRegistration, AuditAction, Changed, LimitName, LimitsChange,
    RegistrationMode,
};
use petrel_store::StoreError;
use petrel_types::OperatingLimits;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::{Administration, Operator, of_store};
use crate::Refusal;

/// Which list of the system's entries the limits are. A key is the name of a limit.
const LIMITS: u8 = 3;
const REGISTRATION: &str = "registration";

/// More than there are.
const READ_MAX: u32 = 1000;

/// What may be changed, with the values that hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustable {
    /// Who may register.
    pub registration: RegistrationMode,
    /// How many users one address may register in a row at no cost.
    pub registrations_per_address: u32,
    /// How many connections may be open.
    pub connections_max: u64,
    /// The others; some of them can't be changed.
    pub operating: OperatingLimits,
}

/// Has limits in force.
type Apply = Box<dyn Fn(&Adjustable) + Send + Sync>;

/// The limits of a running server.
pub struct Limits {
    configured: Adjustable,
    may_take_registrations: bool,
    apply: Apply,
    /// What is not as configured. Held while something is changed, so that of two changes one
    /// comes after the other everywhere.
    overrides: Mutex<Overrides>,
    metrics: Metrics,
}

/// The numbers that hold now.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    values: Family<Label, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    limit: &'static str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Overrides {
    registration: Option<(RegistrationMode, Changed)>,
    limits: BTreeMap<LimitName, (u64, Changed)>,
}

impl Limits {
    /// As configured. `apply` has others in force at once; without `may_take_registrations`
    /// the registration stays closed.
    pub fn new(
        configured: Adjustable,
        may_take_registrations: bool,
        metrics: Metrics,
        apply: impl Fn(&Adjustable) + Send + Sync + 'static,
    ) -> Self {
        metrics.show(&configured);
        let overrides = Mutex::default();
        Self { configured, may_take_registrations, apply: Box::new(apply), overrides, metrics }
    }

    fn with(&self, overrides: &Overrides) -> Adjustable {
        let mut limits = self.configured.clone();
        if let Some((registration, _)) = overrides.registration {
            limits.registration = registration;
        }
        for (name, (value, _)) in &overrides.limits {
            limits.set(*name, *value);
        }
        limits
    }

    fn force(&self, overrides: &Overrides) {
        let limits = self.with(overrides);
        (self.apply)(&limits);
        self.metrics.show(&limits);
    }

    fn check(&self, change: &LimitsChange) -> Result<(), Refusal> {
        let wrong = |message: String| Err(Refusal::new(ErrorReason::InvalidField, message));
        if change.registration.is_none() && change.limits.is_empty() {
            return wrong("say what is to change: `registration`, or names in `limits`".to_owned());
        }
        for (name, value) in &change.limits {
            let (least, most) = (name.least(), name.most());
            if value.is_some_and(|value| value < least || value > most) {
                return wrong(format!("`{name}` is {least} to {most}, or null"));
            }
        }
        let opens = |mode: RegistrationMode| mode != RegistrationMode::Closed;
        if change.registration.flatten().is_some_and(opens) && !self.may_take_registrations {
            return wrong(
                "the registration stays closed: an external issuer may name users by the ids that \
                 new users would get"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn shown(&self, overrides: &Overrides) -> AdminLimits {
        let limits = self.with(overrides);
        let registration = AdminRegistration {
            value: limits.registration,
            configured: self.configured.registration,
            changed: overrides.registration.map(|(_, changed)| changed),
        };
        let limit = |name: &LimitName| AdminLimit {
            name: *name,
            value: limits.get(*name),
            configured: self.configured.get(*name),
            least: name.least(),
            most: name.most(),
            meaning: name.meaning().to_owned(),
            changed: overrides.limits.get(name).map(|(_, changed)| *changed),
        };
        AdminLimits { registration, limits: LimitName::ALL.iter().map(limit).collect() }
    }
}

impl Administration {
    /// The limits that may be changed while the server runs.
    pub async fn limits(&self) -> Result<AdminLimits, Refusal> {
        let limits = &self.running()?.limits;
        let overrides = limits.overrides.lock().await;
        Ok(limits.shown(&overrides))
    }

    /// Changes limits: all that is asked for or nothing. What was changed is on disk, as far
    /// as it is to be kept, and in force when this returns.
    pub async fn change_limits(
        &self,
        operator: &Operator,
        change: LimitsChange,
    ) -> Result<AdminLimits, Refusal> {
        let limits = &self.running()?.limits;
        limits.check(&change)?;
        let mut overrides = limits.overrides.lock().await;
        let after = overrides.after(&change);
        if after == *overrides {
            return Err(Refusal::new(ErrorReason::NothingToChange, "the limits are so already"));
        }
        let (old, new) = (limits.with(&overrides), limits.with(&after));
        let detail = change
            .limits
            .keys()
            .map(|name| format!("{name}: {} → {}", old.get(*name), new.get(*name)));
        let registration = change.registration.map(|_| {
            let (old, new) = (old.registration.as_str(), new.registration.as_str());
            format!("{REGISTRATION}: {old} → {new}")
        });
        let lasts = if change.until_restart { "until the next restart" } else { "kept" };
        let detail = registration.into_iter().chain(detail).collect::<Vec<_>>().join("; ");
        let record =
            self.record(operator, AuditAction::LimitsChanged, None, format!("{detail}; {lasts}"));
        let entries = entries_of(&change);
        self.store.put_system_entries(LIMITS, entries, Some(record)).await.map_err(of_store)?;
        *overrides = after;
        limits.force(&overrides);
        tracing::info!(%detail, lasts, "an admin changed limits");
        Ok(limits.shown(&overrides))
    }

    /// Has those limits in force that admins have changed and that are kept. What can't hold
    /// any more is told in the log and left out.
    pub async fn recall_limits(&self) -> Result<(), StoreError> {
        let Some(running) = &self.running else { return Ok(()) };
        let limits = &running.limits;
        let stored = self.store.system_entries_after(LIMITS, None, READ_MAX).await?;
        let mut overrides = limits.overrides.lock().await;
        for (key, value) in stored {
            let Some(change) = change_of(&key, &value) else {
                tracing::warn!(key, "a kept limit is unknown to this version and left out");
                continue;
            };
            match limits.check(&change) {
                Ok(()) => *overrides = overrides.after(&change),
                Err(refusal) => tracing::warn!(%refusal, "a kept limit is left out"),
            }
            tracing::info!(
                limit = key, value = %String::from_utf8_lossy(&value),
                "an admin has changed this limit; the configuration says something else"
            );
        }
        limits.force(&overrides);
        Ok(())
    }
}

impl Overrides {
    fn after(&self, change: &LimitsChange) -> Self {
        let lasts = if change.until_restart { Changed::UntilRestart } else { Changed::Kept };
        let mut after = self.clone();
        if let Some(registration) = change.registration {
            after.registration = registration.map(|registration| (registration, lasts));
        }
        for (name, value) in &change.limits {
            match value {
                Some(value) => after.limits.insert(*name, (*value, lasts)),
                None => after.limits.remove(name),
            };
        }
        after
    }
}

/// What a change puts into the store, and takes out of it: what holds until the next restart
/// is nothing after it.
fn entries_of(change: &LimitsChange) -> Vec<(String, Option<Bytes>)> {
    let stored = |value: serde_json::Value| Bytes::from(value.to_string());
    let kept = !change.until_restart;
    let registration = change.registration.map(|registration| {
        let value = registration.filter(|_| kept).map(|it| stored(serde_json::json!(it)));
        (REGISTRATION.to_owned(), value)
    });
    let limits = change.limits.iter().map(|(name, value)| {
        let value = value.filter(|_| kept).map(|it| stored(serde_json::json!(it)));
        (name.as_str().to_owned(), value)
    });
    registration.into_iter().chain(limits).collect()
}

/// The change that was stored so.
fn change_of(key: &str, value: &[u8]) -> Option<LimitsChange> {
    if key == REGISTRATION {
        let registration = Some(Some(serde_json::from_slice(value).ok()?));
        return Some(LimitsChange { registration, ..LimitsChange::default() });
    }
    let name = LimitName::ALL.iter().find(|name| name.as_str() == key)?;
    let value: u64 = serde_json::from_slice(value).ok()?;
    let limits = BTreeMap::from([(*name, Some(value))]);
    Some(LimitsChange { limits, ..LimitsChange::default() })
}

impl Adjustable {
    fn get(&self, name: LimitName) -> u64 {
        let operating = &self.operating;
        let small = match name {
            LimitName::ConnectionsMax => return self.connections_max,
            LimitName::RegistrationsPerAddress => self.registrations_per_address,
            LimitName::SessionFramesPerSecond => operating.session_frames_per_second,
            LimitName::SessionFramesBurst => operating.session_frames_burst,
            LimitName::SessionSendsPerSecond => operating.session_sends_per_second,
            LimitName::SessionSendsBurst => operating.session_sends_burst,
            LimitName::SessionReadsPerSecond => operating.session_reads_per_second,
            LimitName::SessionReadsBurst => operating.session_reads_burst,
            LimitName::UserSessionsWorth => operating.user_sessions_worth,
            LimitName::UserInvitationsPerMinute => operating.user_invitations_per_minute,
            LimitName::UserInvitationsBurst => operating.user_invitations_burst,
            LimitName::FloodPatienceMs => operating.flood_patience_ms,
            LimitName::HttpUserRequestsPerSecond => operating.http_user_requests_per_second,
            LimitName::HttpUserRequestsBurst => operating.http_user_requests_burst,
            LimitName::HttpAddressRequestsPerSecond => operating.http_address_requests_per_second,
            LimitName::HttpAddressRequestsBurst => operating.http_address_requests_burst,
        };
        small.into()
    }

    fn set(&mut self, name: LimitName, value: u64) {
        let operating = &mut self.operating;
        let small = match name {
            LimitName::ConnectionsMax => {
                self.connections_max = value;
                return;
            }
            LimitName::RegistrationsPerAddress => &mut self.registrations_per_address,
            LimitName::SessionFramesPerSecond => &mut operating.session_frames_per_second,
            LimitName::SessionFramesBurst => &mut operating.session_frames_burst,
            LimitName::SessionSendsPerSecond => &mut operating.session_sends_per_second,
            LimitName::SessionSendsBurst => &mut operating.session_sends_burst,
            LimitName::SessionReadsPerSecond => &mut operating.session_reads_per_second,
            LimitName::SessionReadsBurst => &mut operating.session_reads_burst,
            LimitName::UserSessionsWorth => &mut operating.user_sessions_worth,
            LimitName::UserInvitationsPerMinute => &mut operating.user_invitations_per_minute,
            LimitName::UserInvitationsBurst => &mut operating.user_invitations_burst,
            LimitName::FloodPatienceMs => &mut operating.flood_patience_ms,
            LimitName::HttpUserRequestsPerSecond => &mut operating.http_user_requests_per_second,
            LimitName::HttpUserRequestsBurst => &mut operating.http_user_requests_burst,
            LimitName::HttpAddressRequestsPerSecond => {
                &mut operating.http_address_requests_per_second
            }
            LimitName::HttpAddressRequestsBurst => &mut operating.http_address_requests_burst,
        };
        *small = u32::try_from(value).unwrap_or(u32::MAX);
    }
}

impl Metrics {
    /// Numbers that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "value",
            "Limits that may be changed while the server runs, as they are now; `registration` is \
             0 closed, 1 by invite, 2 open",
            metrics.values.clone(),
        );
        metrics
    }

    fn show(&self, limits: &Adjustable) {
        let show = |limit: &'static str, value: u64| {
            let gauge = self.values.get_or_create_owned(&Label { limit });
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let registration = match limits.registration {
            RegistrationMode::Closed => 0,
            RegistrationMode::Invite => 1,
            RegistrationMode::Open => 2,
        };
        show(REGISTRATION, registration);
        for name in LimitName::ALL {
            show(name.as_str(), limits.get(*name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(may_take_registrations: bool) -> Limits {
        let configured = Adjustable {
            registration: RegistrationMode::Open,
            registrations_per_address: 20,
            connections_max: 18_000,
            operating: OperatingLimits::default(),
        };
        Limits::new(configured, may_take_registrations, Metrics::default(), |_| ())
    }

    fn change(limits: &[(LimitName, Option<u64>)]) -> LimitsChange {
        let limits = limits.iter().copied().collect();
        LimitsChange { limits, ..LimitsChange::default() }
    }

    #[test]
    fn every_limit_is_got_as_it_was_set_and_sets_no_other() {
        for name in LimitName::ALL {
            let before = limits(true).configured;
            let mut after = before.clone();
            after.set(*name, name.most());
            assert_eq!(after.get(*name), name.most());
            let others = || LimitName::ALL.iter().filter(|other| *other != name);
            assert!(others().all(|other| after.get(*other) == before.get(*other)), "{name}");
            assert!((name.least()..=name.most()).contains(&before.get(*name)), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_read_as_it_was_changed_and_the_rest_is_nothing_after_a_restart() {
        let mut all = change(&[(LimitName::ConnectionsMax, Some(7))]);
        all.limits.insert(LimitName::SessionSendsBurst, None);
        all.registration = Some(Some(RegistrationMode::Invite));
        let expected = Overrides::default().after(&all);
        let mut read = Overrides::default();
        for (key, value) in entries_of(&all) {
            if let Some(value) = value {
                read = read.after(&change_of(&key, &value).unwrap());
            }
        }
        assert_eq!(read, expected);
        all.until_restart = true;
        assert!(entries_of(&all).iter().all(|(_, value)| value.is_none()));
        assert_eq!(change_of("unheardOf", b"1"), None);
        assert_eq!(change_of("connectionsMax", b"many"), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let reason = |limits: &Limits, change| limits.check(&change).map_err(|it| it.reason);
        let wrong = Err(ErrorReason::InvalidField);
        let open = limits(true);
        assert_eq!(reason(&open, LimitsChange::default()), wrong);
        assert_eq!(reason(&open, change(&[(LimitName::ConnectionsMax, Some(0))])), wrong);
        assert_eq!(reason(&open, change(&[(LimitName::SessionSendsBurst, Some(0))])), wrong);
        assert_eq!(reason(&open, change(&[(LimitName::SessionSendsPerSecond, Some(0))])), Ok(()));
        let registration = |mode| LimitsChange { registration: Some(mode), ..Default::default() };
        let (opened, closed) = (RegistrationMode::Open, RegistrationMode::Closed);
        assert_eq!(reason(&open, registration(Some(opened))), Ok(()));
        assert_eq!(reason(&limits(false), registration(Some(opened))), wrong);
        assert_eq!(reason(&limits(false), registration(Some(closed))), Ok(()));
    }
}
