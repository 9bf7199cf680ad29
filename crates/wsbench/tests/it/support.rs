//! The programs, and how to run them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use wsbench::report::Report;

/// The program under test.
pub(crate) const WSBENCH: &str = env!("CARGO_BIN_EXE_wsbench");

/// A program of another package of this workspace.
///
/// Cargo sees to it once that all of them are there and of today. It is asked for the tests of
/// the whole workspace: built for one package alone they would have other features, and so
/// take the place of those that are there.
pub(crate) fn program(package: &str) -> Result<PathBuf> {
    static ARE_BUILT: Mutex<bool> = Mutex::new(false);
    let mut are_built = ARE_BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(WSBENCH).parent().context("programs are in a folder")?;
    if !*are_built {
        build(folder)?;
        *are_built = true;
    }
    Ok(folder.join(package))
}

fn build(folder: &Path) -> Result<()> {
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => bail!("{} is no folder of cargo's", folder.display()),
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--workspace", "--test", "it", "--no-run", "--locked", "--quiet"])
        .args(["--profile", profile, "--target-dir"])
        .arg(folder.parent().context("profiles are in the target folder")?);
    if cfg!(feature = "mutants") {
        // The program under test is among them.
        cargo.args(["--features", "wsbench/mutants"]);
    }
    // What cargo has told this test about its own package would look like a change.
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(told) {
            cargo.env_remove(name);
        }
    }
    ensure!(cargo.status()?.success(), "the programs of other packages can't be built");
    Ok(())
}

/// A lying server and its log.
pub(crate) struct Liar {
    child: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Liar {
    pub(crate) fn start(faults: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(program("wsbench-lying-server")?)
            .arg("--log")
            .arg(folder.path().join("log"))
            .args(faults)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("stdout is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").context("the address")?.parse()?;
        Ok(Self { child, folder, address })
    }

    /// What it has done, by its own account: how often each fault happened, and how long
    /// messages waited.
    pub(crate) fn confession(&self) -> Result<(BTreeMap<String, u64>, Vec<u64>)> {
        let (mut counts, mut waits) = (BTreeMap::new(), Vec::new());
        for line in fs::read_to_string(self.folder.path().join("log"))?.lines() {
            let entry: serde_json::Value = serde_json::from_str(line)?;
            let fault = entry["fault"].as_str().context("a fault")?;
            *counts.entry(fault.to_owned()).or_default() += 1;
            waits.extend(entry["waited_us"].as_u64());
        }
        waits.sort_unstable();
        Ok((counts, waits))
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        // It has nothing left to say.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does the same with each of several things at the same time: runs wait more than they
/// compute, so that several of them go on at once without disturbing each other.
pub(crate) fn each<I: Send, O: Send>(
    inputs: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            inputs.into_iter().map(|input| scope.spawn(move || work(input))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a panic is a failure")).collect()
    })
}

/// Runs wsbench to its end.
pub(crate) fn wsbench(arguments: &[impl AsRef<OsStr>]) -> Result<Output> {
    let output = Command::new(WSBENCH)
        .args(arguments)
        .env_remove("PETREL_DATA_DIR")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()?;
    Ok(output)
}

/// Runs wsbench and reads its JSON report.
pub(crate) fn report(arguments: &[&str]) -> Result<Report> {
    let arguments = [arguments, &["--output", "json", "--no-ceiling"]].concat();
    let output = wsbench(&arguments)?;
    let stdout = String::from_utf8(output.stdout)?;
    let report: Report = serde_json::from_str(&stdout).with_context(|| {
        format!("{}\n{stdout}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
    })?;
    ensure!(output.status.code() == Some(i32::from(report.verdict.exit_code)));
    Ok(report)
}

/// The words of a command line.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A quick run that a machine under load passes as well.
pub(crate) const SMALL: &str = "messaging --adapter echo --conns 10 --rate 200 --ramp 100ms --duration 1s \
                     --warmup 0s --late-after 1m --no-ceiling";
