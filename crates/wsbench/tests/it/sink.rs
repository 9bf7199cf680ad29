//! `wsbench sink`: the bare echo server that another server's cost is compared with.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{WSBENCH, report};

#[test]
fn the_sink_says_where_it_is_sends_everything_back_and_ends_when_told() -> Result<()> {
    let mut sink = Command::new(WSBENCH).arg("sink").stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    BufReader::new(sink.stdout.take().context("piped")?).read_line(&mut url)?;
    let report = report(&[
        "messaging",
        "--adapter=echo",
        "--target",
        url.trim(),
        "--conns=5",
        "--rate=200",
        "--ramp=100ms",
        "--warmup=0s",
        "--duration=1s",
        "--late-after=1m",
    ]);
    kill_process(Pid::from_child(&sink), Signal::INT)?;
    assert_eq!(sink.wait()?.code(), Some(0));
    let deliveries = report?.deliveries;
    assert!(deliveries.sent > 0);
    assert_eq!(deliveries.delivered, deliveries.sent);
    Ok(())
}
