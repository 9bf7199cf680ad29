//! From what is given to what is done: the scenario's defaults, then the general ones.

use std::net::IpAddr;

use super::{Arrival, BadPlan, LoginBy, Plan, check};
use crate::adapter::{self, AdapterKind, Templates};
use crate::scenario::{self, Scenario};
use crate::settings::Settings;
use crate::span::Span;
use crate::target::Target;

/// How far apart the users of two load generators are: more than one may have.
const USERS_PER_MACHINE: u64 = 10_000_000;

impl Plan {
    /// Decides everything that is not given: by the scenario, then by the general
    /// defaults.
    pub fn resolve(scenario: Option<&str>, given: Settings) -> Result<Self, BadPlan> {
        let name = match (scenario, given.mode.as_deref()) {
            (Some(name), Some(mode))
                if scenario::find(name)?.name() != scenario::find(mode)?.name() =>
            {
                return Err(BadPlan(format!("the scenario is {name}, or {mode}? give one")));
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => "connect-only",
        };
        let scenario = scenario::find(name)?;
        let mut settings = given.or(scenario.defaults());
        let factor = settings.scale.take().unwrap_or(1.0);
        let mut plan = Self::from_settings(scenario, settings)?;
        if factor != 1.0 {
            plan.scale(factor)?;
        }
        scenario.settle(&mut plan);
        plan.check(scenario)?;
        plan.spread_over_loopback();
        Ok(plan)
    }

    fn from_settings(scenario: &dyn Scenario, settings: Settings) -> Result<Self, BadPlan> {
        let data_dir = settings.data_dir.unwrap_or_else(|| "petrel-data".into());
        let raw = Templates {
            query: settings.raw_query,
            login: settings.raw_login,
            login_ok: settings.raw_login_ok,
            join: settings.raw_join,
            join_ok: settings.raw_join_ok,
            send: settings.raw_send,
            ack: settings.raw_ack,
            ping: settings.raw_ping,
        };
        let adapter = match settings.adapter {
            Some(adapter) => adapter,
            None if raw != Templates::default() => AdapterKind::Raw,
            None if adapter::load_key(settings.token_key.as_deref(), &data_dir).is_ok() => {
                AdapterKind::Petrel
            }
            None if settings.token_key.is_some() => AdapterKind::Petrel,
            None => AdapterKind::Echo,
        };
        let sender_rate = match (settings.msg_interval, settings.msg_interval_ms, settings.msg_rate)
        {
            (Some(interval), ..) => 1.0 / interval.as_secs_f64(),
            (None, Some(ms), _) => 1000.0 / ms as f64,
            (None, None, rate) => rate.unwrap_or(10.0) / 60.0,
        };
        let ping_interval = match (settings.ping_interval, settings.ping_interval_ms) {
            (Some(interval), _) => interval,
            (None, Some(ms)) => Span::milliseconds(ms),
            (None, None) => Span::seconds(30),
        };
        let group_size = settings.group_size.unwrap_or(100);
        let machine_id = settings.machine_id.unwrap_or(0).min(u64::from(u32::MAX));
        let targets = settings.target.unwrap_or_else(|| vec!["ws://localhost:8084/ws".to_owned()]);
        let targets = targets
            .iter()
            .flat_map(|target| target.split([';', ',']))
            .filter(|target| !target.trim().is_empty())
            .map(|target| target.trim().parse())
            .collect::<Result<Vec<Target>, _>>()
            .map_err(BadPlan)?;
        let headers = settings.header.unwrap_or_default();
        let headers =
            headers.iter().map(|header| check::header(header)).collect::<Result<_, _>>()?;
        Ok(Self {
            scenario: scenario.name().to_owned(),
            targets,
            adapter,
            conns: settings.conns.unwrap_or(1000),
            duration: settings.duration.unwrap_or(Span::seconds(300)),
            ramp: settings.ramp.unwrap_or(Span::seconds(60)),
            max_cps: settings.max_cps.unwrap_or(500),
            warmup: settings.warmup.unwrap_or(Span::seconds(1)),
            drain: settings.drain.unwrap_or(Span::seconds(10)),
            sender_rate,
            total_rate: settings.rate,
            payload_size: settings.payload_size.unwrap_or(128),
            stages: settings.stages.unwrap_or_default(),
            in_flight: settings.in_flight,
            max_in_flight: settings.max_in_flight.unwrap_or(200),
            arrival: settings.arrival.unwrap_or(Arrival::Spread),
            ping_interval,
            empty_heartbeat: settings.empty_heartbeat.unwrap_or(false),
            late_after: settings.late_after.unwrap_or(Span::milliseconds(10)),
            seed: settings.seed.unwrap_or(1),
            user_base: settings.user_base.unwrap_or(1_000_000) + machine_id * USERS_PER_MACHINE,
            machine_id,
            jwt_secret: settings.jwt_secret,
            jwt_issuer: settings.jwt_issuer,
            token: settings.token,
            http_base: settings.http_base,
            role_pinned: settings.role_pinned.unwrap_or(false),
            token_key: settings.token_key,
            data_dir,
            login_by: settings.login_by.unwrap_or(LoginBy::Header),
            receipts: settings.receipts.unwrap_or(true),
            handshake_timeout: settings.handshake_timeout.unwrap_or(Span::seconds(30)),
            retry: settings.retry.unwrap_or(3),
            retry_delay: settings.retry_delay.unwrap_or(Span::seconds(1)),
            read_timeout: settings.read_timeout.unwrap_or(Span::seconds(120)),
            write_timeout: settings.write_timeout.unwrap_or(Span::seconds(10)),
            read_buffer: settings.read_buffer.unwrap_or(8192),
            write_buffer: settings.write_buffer.unwrap_or(8192),
            reconnect: settings.reconnect,
            receive_buffer: settings.receive_buffer,
            headers,
            sources: settings.source.unwrap_or_default(),
            binary: settings.binary.unwrap_or(false),
            cacert: settings.cacert,
            insecure: settings.insecure.unwrap_or(false),
            cert: settings.cert,
            key: settings.key,
            raw,
            storm_at: settings.storm_at,
            away: settings.away.unwrap_or_default(),
            reconnect_jitter: settings.reconnect_jitter.unwrap_or(Span::milliseconds(200)),
            flap_interval: settings.flap_interval.unwrap_or(Span::seconds(2)),
            flap_percent: settings.flap_percent.unwrap_or(0.0),
            slow_percent: settings.slow_percent.unwrap_or(0.0),
            slow_delay: settings.slow_delay.unwrap_or(Span::seconds(1)),
            no_read_percent: settings.no_read_percent.unwrap_or(0.0),
            offline_messages: settings.offline_messages.unwrap_or(50),
            churn_percent: settings.churn_percent.unwrap_or(50.0),
            sizes: settings.sizes.unwrap_or_default(),
            rate_from: settings.rate_from.unwrap_or(500),
            rate_factor: settings.rate_factor.unwrap_or(2.0),
            step: settings.step.unwrap_or(Span::seconds(5)),
            group_size,
            group_senders: settings.group_senders.unwrap_or((group_size / 10).max(1)),
            actions: settings.run_at.unwrap_or_default(),
            preset: None,
            scale: None,
            thresholds: settings.threshold.unwrap_or_default(),
            workers: settings.workers,
        })
    }

    /// Makes the whole run smaller or larger: connections and times, not the rates of one
    /// connection.
    fn scale(&mut self, factor: f64) -> Result<(), BadPlan> {
        if !(factor > 0.0 && factor <= 1000.0) {
            return Err(BadPlan(format!("--scale {factor} is not between 0 and 1000")));
        }
        self.scale = Some(factor);
        for action in &mut self.actions {
            action.at = action.at.scaled(factor);
        }
        let conns = (f64::from(self.conns) * factor).round().clamp(2.0, 4e6) as u32;
        self.conns = conns + conns % 2;
        self.duration = self.duration.scaled(factor);
        self.ramp = self.ramp.scaled(factor);
        self.warmup = self.warmup.scaled(factor);
        self.step = self.step.scaled(factor);
        for size in &mut self.sizes {
            *size = (f64::from(*size) * factor).round().max(1.0) as u32;
        }
        for stage in &mut self.stages {
            stage.time = stage.time.scaled(factor);
        }
        Ok(())
    }

    /// All of 127.0.0.0/8 is this machine. When more than half of the local ports towards
    /// one destination were needed, Linux would search longer and longer for a free one
    /// (it tries every second port first), so that connections to loopback come from
    /// several of its addresses.
    fn spread_over_loopback(&mut self) {
        let Some(ports) = crate::machine::local_ports().filter(|_| self.sources.is_empty()) else {
            return;
        };
        let loopback = |target: &Target| {
            target.host == "localhost"
                || target.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() && ip.is_ipv4())
        };
        if !self.targets.iter().all(loopback) {
            return;
        }
        let each = u64::from(self.conns).div_ceil(self.targets.len() as u64);
        let needed = each.div_ceil((ports * 2 / 5).max(1));
        if needed > 1 && cfg!(target_os = "linux") {
            let address = |last: u64| IpAddr::from([127, 0, (last >> 8) as u8, last as u8]);
            self.sources = (1..=needed.min(60_000)).map(address).collect();
        }
    }
}
