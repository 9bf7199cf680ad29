//! What the operating system knows of this process. Linux tells; elsewhere the numbers
//! are missing.

use std::fs;

/// The kernel counts CPU time in hundredths of a second on every Linux that Rust runs on
/// (`USER_HZ`, see time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// This process now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) threads: u64,
    pub(super) open_descriptors: u64,
    pub(super) descriptors_max: u64,
}

/// A thread of this process.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thread {
    pub(super) id: u32,
    pub(super) name: String,
    /// As ps(1) has it: R runs, S sleeps, D waits for a disk.
    pub(super) state: char,
    pub(super) cpu_seconds: f64,
    /// The kernel function in which it sleeps, if the kernel tells.
    pub(super) waits_in: String,
}

/// Asks. What can't be known is zero.
pub(super) fn now() -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Process {
        cpu_seconds: cpu_seconds(&stat),
        resident_bytes: number("VmRSS:") * 1024,
        virtual_bytes: number("VmSize:") * 1024,
        threads: number("Threads:"),
        // Less the one by which they are counted.
        open_descriptors: (descriptors as u64).saturating_sub(1),
        descriptors_max: rustix::process::getrlimit(rustix::process::Resource::Nofile)
            .current
            .unwrap_or(u64::MAX),
    }
}

/// The threads, by id.
pub(super) fn threads() -> Vec<Thread> {
    let mut threads: Vec<_> = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let waits_in = fs::read_to_string(path.join("wchan")).unwrap_or_default();
            Some(Thread {
                id: path.file_name()?.to_str()?.parse().ok()?,
                name: fs::read_to_string(path.join("comm")).ok()?.trim().to_owned(),
                state: after_name(&stat).next()?.chars().next()?,
                cpu_seconds: cpu_seconds(&stat),
                waits_in: if waits_in == "0" { String::new() } else { waits_in },
            })
        })
        .collect();
    threads.sort_by_key(|thread| thread.id);
    threads
}

/// The fields of a `stat` file after the name, which may hold blanks: see proc(5).
fn after_name(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

/// User and system time: fields 14 and 15, of which two stand before those here.
fn cpu_seconds(stat: &str) -> f64 {
    let ticks: u64 =
        after_name(stat).skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_stat_file_are_found_behind_any_name() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(after_name(stat).next(), Some("S"));
        assert_eq!(cpu_seconds(stat), 2.0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_uses_something() {
        let process = now();
        assert!(process.resident_bytes > 100_000 && process.open_descriptors > 2, "{process:?}");
        assert!(threads().iter().any(|thread| thread.state == 'R'), "{:?}", threads());
    }
}
