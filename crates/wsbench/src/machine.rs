//! What can be known about this machine and its processes: memory, CPU time, limits.
//! Linux says the most; elsewhere some answers are missing, and the reports leave them
//! out.

use std::fs;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: standard streams, timers, pipes, files.
pub const DESCRIPTORS_RESERVED: u64 = 64;

/// This process's resident memory, in bytes; 0 if it can't be known.
pub fn own_memory() -> u64 {
    memory("self")
}

/// A process's resident memory, in bytes.
pub fn memory_of(pid: u32) -> Option<u64> {
    Some(memory(&pid.to_string())).filter(|bytes| *bytes > 0)
}

fn memory(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// A process's CPU time, in nanoseconds, to a hundredth of a second: that of threads that
/// have ended included.
pub fn cpu_of(pid: u32) -> Option<u64> {
    // The kernel tells it in hundredths of a second on every machine that this runs on.
    const TICK: u64 = 10_000_000;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may have spaces and brackets; what follows it has not.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) * TICK)
}

/// How long the calling thread could have run and had no CPU, in nanoseconds.
pub fn thread_wait() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// The process that listens on a local port.
pub fn listener_of(port: u16) -> Option<u32> {
    let inodes: Vec<String> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|table| {
            table
                .lines()
                .skip(1)
                .filter_map(|line| {
                    let fields: Vec<_> = line.split_whitespace().collect();
                    let local = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
                    // 0A is LISTEN.
                    let listens = local == port && *fields.get(3)? == "0A";
                    listens.then(|| format!("socket:[{}]", fields[9]))
                })
                .collect::<Vec<_>>()
        })
        .collect();
    if inodes.is_empty() {
        return None;
    }
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let link = fs::read_link(descriptor.path()).unwrap_or_default();
            if inodes.iter().any(|inode| link.as_os_str() == inode.as_str()) {
                return Some(pid);
            }
        }
    }
    None
}

/// Raises the soft limit of open files to the hard one, and returns what it is now.
pub fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Without a hard limit some systems still refuse "unlimited"; a million is enough.
    let wanted = limit.maximum.unwrap_or(1 << 20);
    if limit.current.is_some_and(|current| current < wanted) {
        // If it can't be raised, it is as it was, and is reported as that.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(wanted)
}

/// The limits of open files: soft and hard; none is unlimited.
pub fn descriptor_limits() -> (Option<u64>, Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current, limit.maximum)
}

/// A kernel setting.
pub fn sysctl(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The local ports that a connection may come from: how many.
pub fn local_ports() -> Option<u64> {
    let range = sysctl("net.ipv4.ip_local_port_range")?;
    let mut numbers = range.split_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) if last >= first => Some(last - first + 1),
        _ => None,
    }
}

/// Processors that may be used.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// This machine's name in its network, for labels of metrics.
pub fn name() -> Option<String> {
    let uname = rustix::system::uname();
    uname.nodename().to_str().ok().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// What a report says of the machine. Nothing that names it: reports are passed around.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The operating system, and its version where that is known.
    pub system: String,
    /// The processor, as it calls itself.
    pub processor: Option<String>,
    /// Processors that may be used.
    pub cores: usize,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
}

/// Describes this machine.
pub fn describe() -> Machine {
    let release = sysctl("kernel.osrelease");
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    Machine {
        system: [std::env::consts::OS, std::env::consts::ARCH]
            .into_iter()
            .map(str::to_owned)
            .chain(release)
            .collect::<Vec<_>>()
            .join(" "),
        processor: field("/proc/cpuinfo", "model name"),
        cores: cores(),
        memory_bytes: memory.map(|kib| kib * 1024),
    }
}
