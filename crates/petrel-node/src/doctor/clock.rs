//! Whether the clock tells the time: messages are stamped by it, and tokens expire by it.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use petrel_types::{Clock, SystemClock, TimestampMs};

use super::Finding;
use super::Severity::{Advice, Problem, Warning};

/// 2026-01-01, before which this was not written.
const WRITTEN: TimestampMs = TimestampMs::new(1_767_225_600_000);

/// How far behind its own files a clock may be.
const LEEWAY_MS: u64 = 60_000;

pub(super) fn examine(data_directory: &Path) -> Vec<Finding> {
    let latest = latest_write(data_directory);
    let mut findings = vec![judge(SystemClock.now(), latest)];
    // What systemd-timesyncd keeps; others (chrony, ntpd, a hypervisor) leave no sign.
    let timesync = Path::new("/run/systemd/timesync");
    if timesync.is_dir() {
        let what = "systemd-timesyncd";
        findings.push(if timesync.join("synchronized").exists() {
            Finding::ok(format!("{what}: synchronised"), "the clock follows a time server")
        } else {
            let why = "it runs, and has not reached a time server since the machine started";
            Finding::bad(
                Advice,
                format!("{what}: not synchronised"),
                why,
                "timedatectl timesync-status",
            )
        });
    }
    findings
}

/// When anything in the data directory was written last.
fn latest_write(data_directory: &Path) -> Option<TimestampMs> {
    let entries = fs::read_dir(data_directory).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let since = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(TimestampMs::new(u64::try_from(since.as_millis()).ok()?))
    });
    times.max()
}

fn judge(now: TimestampMs, latest: Option<TimestampMs>) -> Finding {
    let fix = "timedatectl set-ntp true, or install chrony";
    let shown = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(now.get()));
    let what = format!("the clock: {shown}");
    if now < WRITTEN {
        let why =
            "it is before this program was written; tokens and messages would be stamped with it";
        return Finding::bad(Problem, what, why, fix);
    }
    if let Some(latest) = latest.filter(|latest| latest.get() > now.get() + LEEWAY_MS) {
        let ahead = (latest.get() - now.get()) / 1000;
        let why = format!(
            "the data directory was written {ahead} s later than that: the clock was set back; until it \
             has caught up, new messages are stamped with the time of the last one"
        );
        return Finding::bad(Warning, what, why, fix);
    }
    Finding::ok(what, "not before this program was written, nor before the data")
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn a_clock_that_is_behind_is_found() {
        let at = |ms: u64| TimestampMs::new(WRITTEN.get() + ms);
        assert_eq!(judge(at(0), None).severity, Severity::Ok);
        assert_eq!(judge(at(0), Some(at(LEEWAY_MS))).severity, Severity::Ok);
        assert_eq!(judge(at(0), Some(at(LEEWAY_MS + 1))).severity, Warning);
        assert_eq!(judge(TimestampMs::new(0), None).severity, Problem);
    }
}
