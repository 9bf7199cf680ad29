//! Signals: an interrupt gives a report, a stop is noticed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use wsbench::report::Report;
use wsbench::sink::Sink;
use wsbench::verdict::Outcome;

use crate::support::{SMALL, WSBENCH, each, report, words};

/// A run that goes on until something is done to it.
struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Running {
    /// Starts a long run, and waits until messages flow.
    fn start(sink: &Sink) -> Result<Self> {
        let target = format!("ws://{}/", sink.address);
        let line = "messaging --adapter echo --conns 10 --rate 200 --ramp 100ms --duration 10m \
                    --warmup 0s --late-after 1m --no-ceiling --verbose --output json --target";
        let mut child = Command::new(WSBENCH)
            .args(words(line))
            .arg(&target)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = BufReader::new(child.stderr.take().context("stderr is piped")?);
        let mut running = Self { child, stderr };
        running.wait_for_traffic()?;
        Ok(running)
    }

    /// Waits for another second in which messages were delivered.
    fn wait_for_traffic(&mut self) -> Result<()> {
        loop {
            let mut line = String::new();
            ensure!(self.stderr.read_line(&mut line)? > 0, "it ended");
            if line.contains("delivered/s") && !line.contains(" 0 delivered/s") {
                return Ok(());
            }
        }
    }

    fn send(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits for the end: the exit code, and what was printed.
    fn finish(mut self) -> Result<(Option<i32>, String)> {
        // Nobody else reads what it says, and a full pipe would hold it up.
        thread::spawn(move || std::io::copy(&mut self.stderr, &mut std::io::sink()));
        let mut stdout = String::new();
        self.child.stdout.take().context("stdout is piped")?.read_to_string(&mut stdout)?;
        Ok((self.child.wait()?.code(), stdout))
    }
}

#[test]
fn an_interrupt_gives_a_report_of_what_was() -> Result<()> {
    let sink = Sink::start()?;
    each([Signal::INT, Signal::TERM], |signal| {
        let running = Running::start(&sink)?;
        running.send(signal)?;
        let (code, stdout) = running.finish()?;
        let report: Report = serde_json::from_str(&stdout)?;
        assert_eq!(code, Some(0), "{stdout}");
        assert!(report.interrupted);
        let tally = &report.deliveries;
        assert!(tally.sent > 0 && tally.delivered == tally.sent, "{tally:?}");
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_generator_that_was_stopped_says_so_and_is_invalid() -> Result<()> {
    let sink = Sink::start()?;
    let mut running = Running::start(&sink)?;
    running.send(Signal::STOP)?;
    // For as long as another run takes.
    let target = format!("ws://{}/", sink.address);
    let other = report(&[&words(SMALL), &["--target", &target][..]].concat())?;
    assert!(other.generator.stops.is_empty());
    running.send(Signal::CONT)?;
    running.wait_for_traffic()?;
    running.send(Signal::INT)?;
    let (code, stdout) = running.finish()?;
    let report: Report = serde_json::from_str(&stdout)?;
    let [stop] = &report.generator.stops[..] else { panic!("{:?}", report.generator.stops) };
    // It stood still for longer than the other run took, which had a second to run.
    assert!(stop.seconds >= 1.0, "{stop:?}");
    assert_eq!((code, report.verdict.outcome), (Some(5), Outcome::Invalid));
    assert!(report.verdict.invalid.iter().any(|reason| reason.contains("SIGSTOP")));
    // What was under way when it stopped is not timed, and the schedule has moved on.
    let e2e = report.times("e2e").expect("it was measured");
    assert!(e2e.max < stop.seconds * 1000.0, "{e2e:?} {stop:?}");
    Ok(())
}
