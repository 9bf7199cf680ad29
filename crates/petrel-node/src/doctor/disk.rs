//! The disk of the data directory: how fast it keeps a promise, and how much room it has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{statfs, statvfs};

use super::Finding;
use super::Severity::{Advice, Problem, Warning};

/// At most this many writes are measured, and for at most this long.
const WRITES: usize = 200;
const TIME: Duration = Duration::from_secs(2);

/// What a small commit writes: one page of the database.
const WRITE_BYTES: usize = 16 * 1024;

/// A disk that brings a page to safety in less has a protected cache, or lies.
const TOO_FAST: Duration = Duration::from_micros(20);

/// An ack takes at least as long as an fsync; beyond this, people notice.
const SLOW: Duration = Duration::from_millis(20);

const MIB: u64 = 1024 * 1024;

/// Kinds of file systems (`f_type` of statfs(2)), and what is wrong with them.
const KINDS: [(u64, &str, &str); 4] = [
    (0x0102_1994, "tmpfs", "it is memory: everything is gone after a restart of the machine"),
    (0x8584_58f6, "ramfs", "it is memory: everything is gone after a restart of the machine"),
    (0x6969, "NFS", "locks and fsync of network file systems are not to be relied on"),
    (0xff53_4d42, "CIFS", "locks and fsync of network file systems are not to be relied on"),
];

pub(super) fn examine(data_directory: &Path) -> Vec<Finding> {
    let Some(directory) = nearest(data_directory) else {
        return vec![Finding::bad(
            Problem,
            format!("the data directory {} can't be made", data_directory.display()),
            "nothing above it exists",
            "make the directory, or choose another with --data-dir",
        )];
    };
    let mut findings = vec![kind(&directory)];
    findings.extend(room(&directory));
    findings.push(match measure(&directory) {
        Ok(times) => speed(&times),
        Err(error) => Finding::bad(
            Problem,
            format!("{} can't be written: {error}", directory.display()),
            "everything durable would be kept there",
            format!("chown it to the user that runs the server, now {}", whoami()),
        ),
    });
    findings
}

/// The directory, or what of its path there is.
fn nearest(directory: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(directory).ok()?;
    whole.ancestors().find(|path| path.is_dir()).map(Path::to_owned)
}

fn kind(directory: &Path) -> Finding {
    let shown = directory.display();
    // Its width differs between systems.
    let kind = statfs(directory).ok().and_then(|stat| u64::try_from(stat.f_type).ok());
    let number = kind.unwrap_or(0) & 0xffff_ffff;
    match KINDS.iter().find(|(kind, ..)| *kind == number) {
        Some((_, name, why)) => Finding::bad(
            Problem,
            format!("{shown} is on {name}"),
            *why,
            "choose a directory on a local disk with --data-dir",
        ),
        None => {
            Finding::ok(format!("{shown} is on a local file system"), "locks and fsync work there")
        }
    }
}

fn room(directory: &Path) -> Option<Finding> {
    let stat = statvfs(directory).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let total = stat.f_blocks.saturating_mul(stat.f_frsize).max(1);
    let percent = free.saturating_mul(100) / total;
    let what = format!("free disk space: {} MiB ({percent} %)", free / MIB);
    let why = "a message of 100 bytes takes some 250; on a full disk sends are refused and nothing is \
               lost";
    let fix = "make room, give the data directory a disk of its own, or let old events go with \
               retention.keep";
    Some(match free {
        _ if free < 512 * MIB => Finding::bad(Problem, what, why, fix),
        _ if free < 5 * 1024 * MIB || percent < 5 => Finding::bad(Warning, what, why, fix),
        _ if stat.f_files > 0 && stat.f_favail < 1000 => {
            Finding::bad(Warning, format!("{what}, but {} inodes", stat.f_favail), why, fix)
        }
        _ => Finding::ok(what, why),
    })
}

/// How long it takes to bring a page to disk, again and again, shortest first.
fn measure(directory: &Path) -> io::Result<Vec<Duration>> {
    let path = directory.join(format!("petrel-doctor-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let measured = measure_file(file);
    fs::remove_file(&path)?;
    measured
}

fn measure_file(mut file: File) -> io::Result<Vec<Duration>> {
    let page = [0x5a; WRITE_BYTES];
    let mut times = Vec::with_capacity(WRITES);
    let begin = Instant::now();
    while times.len() < WRITES && begin.elapsed() < TIME {
        let write = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(write.elapsed());
    }
    times.sort();
    Ok(times)
}

fn speed(times: &[Duration]) -> Finding {
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let (median, slowest) = (at(50), at(99));
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let what = format!(
        "fsync of 16 KiB: median {:.2} ms, 99th percentile {:.2} ms, of {} writes",
        ms(median),
        ms(slowest),
        times.len()
    );
    if median < TOO_FAST {
        let why = "so fast only a protected write cache is; if there is none, the disk says that it has \
                   kept what it has not, and a power cut loses acknowledged messages";
        let fix = "hdparm -W 0 DEVICE switches the cache of a disk off; ask the provider of a virtual one";
        return Finding::bad(Advice, what, why, fix);
    }
    let why = "every acknowledgement waits for one; those that wait together share it";
    if slowest > SLOW {
        let fix =
            "a disk with lower latency (NVMe, or a volume with guaranteed operations per second)";
        return Finding::bad(Warning, what, why, fix);
    }
    Finding::ok(what, why)
}

fn whoami() -> String {
    format!("user id {}", rustix::process::getuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn a_disk_is_judged_by_its_slow_writes_and_by_too_fast_ones() {
        let of = |micros: &[u64]| {
            speed(&micros.iter().map(|it| Duration::from_micros(*it)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[500; 100]).severity, Severity::Ok);
        assert_eq!(of(&[5; 100]).severity, Advice);
        let mut slow = vec![500; 95];
        slow.extend([90_000; 5]);
        assert_eq!(of(&slow).severity, Warning);
        assert!(of(&slow).what.contains("99th percentile 90.00 ms"), "{}", of(&slow).what);
    }

    #[test]
    fn measuring_leaves_nothing_behind_and_makes_no_directory() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("not/there/yet");
        assert!(!examine(&data).is_empty());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(!measure(directory.path()).unwrap().is_empty());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
