//! Limits of the operating system: descriptors, queues, memory.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::Finding;
use super::Severity::{Advice, Problem, Warning};
use crate::machine::DESCRIPTORS_RESERVED;

/// A kernel setting that must be at least so large.
struct Least {
    name: &'static str,
    least: u64,
    why: &'static str,
}

pub(super) fn examine(connections: u64) -> Vec<Finding> {
    let mut findings = vec![descriptors(connections, limits())];
    let leasts = [
        Least {
            name: "net.core.somaxconn",
            least: 4096,
            why: "connections that wait to be accepted; when everybody comes back at once, those \
                  beyond are dropped and try again a second later",
        },
        Least {
            name: "net.ipv4.tcp_max_syn_backlog",
            least: 4096,
            why: "connections half open; beyond it a burst of clients waits for retransmissions",
        },
        Least {
            name: "fs.file-max",
            least: connections.saturating_mul(2),
            why: "open files of the whole machine; every connection is one",
        },
        Least {
            name: "fs.nr_open",
            least: connections + DESCRIPTORS_RESERVED,
            why: "the most open files that one process can be allowed",
        },
    ];
    for Least { name, least, why } in leasts {
        // What is not there is not limited, or not Linux.
        let Some(value) = number(name) else { continue };
        let what = format!("{name} = {value}");
        findings.push(if value >= least {
            Finding::ok(what, why)
        } else {
            let wanted = least.next_power_of_two();
            Finding::bad(Warning, what, why, set(name, wanted))
        });
    }
    findings.extend(local_ports());
    findings.extend(tracked_connections(connections));
    findings.extend(memory());
    findings
}

/// Soft and hard; unlimited is the largest number.
fn limits() -> (u64, u64) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX))
}

fn descriptors(connections: u64, (soft, hard): (u64, u64)) -> Finding {
    let shown = |limit: u64| match limit {
        u64::MAX => "unlimited".to_owned(),
        limit => limit.to_string(),
    };
    let what = format!("open files per process: soft {}, hard {}", shown(soft), shown(hard));
    let needed = connections.saturating_add(DESCRIPTORS_RESERVED);
    if hard >= needed {
        let why = "enough for gateway.connections_max; the soft limit is raised at the start";
        return Finding::ok(what, why);
    }
    let room = hard.saturating_sub(DESCRIPTORS_RESERVED);
    let severity = if room < 1000 { Problem } else { Warning };
    Finding::bad(
        severity,
        what,
        format!(
            "gateway.connections_max is {connections}, but only {room} connections fit; those beyond \
             wait until others end"
        ),
        format!(
            "LimitNOFILE={} in the systemd unit, or `ulimit -Hn {0}` before the start; or lower \
             gateway.connections_max",
            needed.next_power_of_two()
        ),
    )
}

fn local_ports() -> Option<Finding> {
    let range = text("net.ipv4.ip_local_port_range")?;
    let mut numbers = range.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
    let ports =
        numbers.next().zip(numbers.next()).map(|(first, last)| last.saturating_sub(first) + 1)?;
    let what = format!("local ports: {ports}");
    let why = "connections that this machine itself can open to one address: of a reverse proxy or a \
               load generator on it, not of clients elsewhere";
    Some(if ports >= 28_000 {
        Finding::ok(what, why)
    } else {
        let fix = "sysctl -w net.ipv4.ip_local_port_range='1024 65535'";
        Finding::bad(Advice, what, why, fix)
    })
}

fn tracked_connections(connections: u64) -> Option<Finding> {
    let used = number("net.netfilter.nf_conntrack_count")?;
    let most = number("net.netfilter.nf_conntrack_max")?;
    let what = format!("tracked connections: {used} of {most}");
    let why = "a firewall that tracks connections drops those it has no room for";
    Some(if most.saturating_sub(used) >= connections.saturating_mul(2) {
        Finding::ok(what, why)
    } else {
        let wanted = connections.saturating_mul(4).next_power_of_two();
        Finding::bad(Warning, what, why, set("net.netfilter.nf_conntrack_max", wanted))
    })
}

fn memory() -> Vec<Finding> {
    let mut findings = Vec::new();
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        info.lines()
            .find_map(|line| line.strip_prefix(name))?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    };
    if let (Some(swap), Some(swappiness)) = (kib("SwapTotal:"), number("vm.swappiness")) {
        let what = format!("vm.swappiness = {swappiness}, {} MiB of swap", swap / 1024);
        let why = "idle sessions that are swapped out come back slowly, all at once";
        findings.push(if swap == 0 || swappiness <= 10 {
            Finding::ok(what, why)
        } else {
            Finding::bad(Advice, what, why, set("vm.swappiness", 10))
        });
    }
    if let Some(overcommit) = number("vm.overcommit_memory") {
        let what = format!("vm.overcommit_memory = {overcommit}");
        findings.push(if overcommit == 2 {
            let why = "memory is refused before it is used up; a refusal ends the process";
            Finding::bad(Warning, what, why, set("vm.overcommit_memory", 0))
        } else {
            Finding::ok(what, "memory is given when it is used")
        });
    }
    findings
}

/// A kernel setting.
fn text(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}

fn set(name: &str, value: u64) -> String {
    format!("sysctl -w {name}={value} (and into /etc/sysctl.d/90-petrel.conf, to stay)")
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn descriptors_are_judged_by_the_hard_limit_and_the_configuration() {
        assert_eq!(descriptors(10_000, (1024, 20_000)).severity, Severity::Ok);
        assert_eq!(descriptors(10_000, (1024, u64::MAX)).severity, Severity::Ok);
        let short = descriptors(100_000, (1024, 20_000));
        assert_eq!(short.severity, Warning);
        assert!(short.why.contains("only 19"), "{}", short.why);
        assert!(short.fix.unwrap().contains("LimitNOFILE=131072"));
        assert_eq!(descriptors(100_000, (256, 256)).severity, Problem);
    }
}
