//! `wsbench doctor`: is this machine fit for the plan, and what can the generator do on
//! it?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapter::AdapterKind;
use crate::conductor::{self, Audience, Signals};
use crate::machine;
use crate::metrics::Timing;
use crate::plan::Plan;
use crate::seconds::Seconds;
use crate::settings::Settings;
use crate::sink::Sink;
use crate::span::Span;
use crate::watch::Watch;

/// What this generator can do on this machine, against its own sink, which shares the
/// machine with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ceiling {
    /// Messages a second, each sent and received back: 16 under way on 64 connections.
    pub messages_per_second: f64,
    /// CPU time of the generator for each frame in that, in microseconds.
    pub cpu_us_per_frame: f64,
    /// Round trips a second with one message under way on each of 200 connections.
    pub round_trips_per_second: f64,
    /// CPU time of the generator for each frame in that, in microseconds.
    pub cpu_us_per_round_trip_frame: f64,
    /// Connections a second.
    pub connects_per_second: f64,
    /// Median round trip at 1,000 messages a second, corrected, in milliseconds.
    pub idle_round_trip_ms: f64,
    /// How long it was measured, in seconds.
    pub seconds: f64,
}

struct Nobody;

impl Audience for Nobody {
    fn second(&mut self, _: &Seconds) {}
    fn ramped(&mut self, _: &Seconds) {}
}

/// Measures the generator against its own sink, for about so many seconds in all.
pub fn measure_ceiling(signals: &Signals, seconds: f64) -> Result<Ceiling, String> {
    let sink = Sink::start().map_err(|error| format!("can't start the sink: {error}"))?;
    let each = seconds / 4.0;
    let base = || Settings {
        target: Some(vec![format!("ws://{}/", sink.address)]),
        adapter: Some(AdapterKind::Echo),
        ramp: Some(Span::default()),
        max_cps: Some(1_000_000),
        warmup: Some(Span(std::time::Duration::from_secs_f64(each / 5.0))),
        duration: Some(Span(std::time::Duration::from_secs_f64(each))),
        ping_interval: Some(Span::default()),
        workers: Some(1),
        ..Settings::default()
    };
    let run = |name: &str, settings: Settings| {
        let plan = Plan::resolve(Some(name), settings).map_err(|error| error.to_string())?;
        conductor::conduct(&plan, signals, &mut Watch::default(), &mut Nobody)
            .map_err(|failure| failure.to_string())
    };
    let deep = run("messaging", Settings { conns: Some(64), in_flight: Some(16), ..base() })?;
    let single = run("messaging", Settings { conns: Some(200), in_flight: Some(1), ..base() })?;
    let quiet = run("messaging", Settings { conns: Some(100), rate: Some(1000.0), ..base() })?;
    let connects = run(
        "connect-rate",
        Settings {
            conns: Some(2000),
            rate_from: Some(4000),
            rate_factor: Some(1.5),
            step: Some(Span(std::time::Duration::from_secs_f64(each / 4.0))),
            ..base()
        },
    )?;
    let rate = |run: &conductor::Conducted| {
        run.merged.counters.deliveries_measured as f64 / run.merged.measured_seconds().max(1e-9)
    };
    let reached = connects.merged.steps.iter().map(|step| step.reached).fold(0.0, f64::max);
    Ok(Ceiling {
        messages_per_second: rate(&deep),
        cpu_us_per_frame: deep.merged.cpu_us_per_frame().unwrap_or(0.0),
        round_trips_per_second: rate(&single),
        cpu_us_per_round_trip_frame: single.merged.cpu_us_per_frame().unwrap_or(0.0),
        connects_per_second: reached,
        idle_round_trip_ms: quiet.merged.times(Timing::EndToEnd).value_at_quantile(0.5) as f64
            / 1000.0,
        seconds,
    })
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it is in order.
    pub ok: bool,
    /// What was looked at, and what it is.
    pub what: String,
    /// What it means.
    pub why: String,
    /// The command that changes it.
    pub cure: Option<String>,
}

/// Looks at what limits a generator of so many connections to so many destinations from
/// so many source addresses.
pub fn examine(connections: u64, destinations: u64, sources: u64) -> Vec<Finding> {
    let (soft, hard) = machine::descriptor_limits();
    let shown =
        |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let per_process = hard.unwrap_or(u64::MAX).saturating_sub(machine::DESCRIPTORS_RESERVED);
    let processes = connections.div_ceil(per_process.max(1));
    let mut findings = vec![Finding {
        ok: processes <= 1,
        what: format!("open files per process: soft {}, hard {}", shown(soft), shown(hard)),
        why: if processes <= 1 {
            "enough for one process; the soft limit is raised by itself".to_owned()
        } else {
            format!(
                "{connections} connections need {processes} processes; they start by themselves"
            )
        },
        cure: (processes > 1).then(|| "ulimit -n 1048576".to_owned()),
    }];
    if let Some(ports) = machine::local_ports() {
        let most = ports * destinations.max(1) * sources.max(1);
        findings.push(Finding {
            ok: connections <= most / 2,
            what: format!(
                "local ports: {ports} x {} destinations x {} source addresses = {most} connections",
                destinations.max(1),
                sources.max(1)
            ),
            why: "each connection needs a port of its own per source address and destination, and \
                  with more than half of them taken Linux searches long for a free one"
                .to_owned(),
            cure: (connections > most / 2).then(|| {
                "sysctl -w net.ipv4.ip_local_port_range='1024 65535', or --source with more addresses"
                    .to_owned()
            }),
        });
    }
    for (name, least, why) in [
        ("net.core.somaxconn", 4096, "connections that wait to be accepted, on the server's side"),
        ("net.ipv4.tcp_max_syn_backlog", 1024, "connections half open, on the server's side"),
        ("fs.nr_open", 20_000, "the most that ulimit -n can be"),
    ] {
        if let Some(value) = machine::sysctl(name) {
            let ok = value.parse::<u64>().is_ok_and(|value| value >= least);
            findings.push(Finding {
                ok,
                what: format!("{name} = {value}"),
                why: why.to_owned(),
                cure: (!ok).then(|| format!("sysctl -w {name}={}", least.max(65_535))),
            });
        }
    }
    if let (Some(used), Some(most)) = (
        machine::sysctl("net.netfilter.nf_conntrack_count"),
        machine::sysctl("net.netfilter.nf_conntrack_max"),
    ) {
        let room = most.parse::<u64>().unwrap_or(0).saturating_sub(used.parse().unwrap_or(0));
        findings.push(Finding {
            ok: room > 2 * connections,
            what: format!("tracked connections: {used} of {most}"),
            why: "a firewall that tracks connections drops those it has no room for".to_owned(),
            cure: (room <= 2 * connections)
                .then(|| format!("sysctl -w net.netfilter.nf_conntrack_max={}", 4 * connections)),
        });
    }
    let cores = machine::cores();
    findings.push(Finding {
        ok: cores > 1,
        what: format!("processors: {cores}"),
        why: "a server on the same machine shares them with the generator".to_owned(),
        cure: None,
    });
    findings
}
