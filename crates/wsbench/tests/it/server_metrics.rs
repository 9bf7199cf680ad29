//! What a server says of itself goes into the report.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use anyhow::Result;
use wsbench::report::Report;
use wsbench::sink::Sink;

use crate::support::wsbench;

/// Serves a page whose counter and histogram grow with every look at it, until the
/// test's process ends.
fn serve_metrics() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        for look in 1.. {
            let (mut socket, _) = listener.accept()?;
            let mut head = BufReader::new(socket.try_clone()?).lines();
            let path = head.next().transpose()?.unwrap_or_default();
            while head.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
            let page = format!(
                "# TYPE looks counter\nlooks{{kind=\"all\"}} {look}\n\
                 fsync_seconds_bucket{{le=\"0.01\"}} {look}\n\
                 fsync_seconds_bucket{{le=\"+Inf\"}} {look}\nfsync_seconds_count {look}\n# EOF\n"
            );
            let status = if path.contains("/metrics") { "200 OK" } else { "404 Not Found" };
            write!(socket, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{page}", page.len())?;
        }
        Ok(())
    });
    Ok(address)
}

fn arguments(sink: &Sink, page: String) -> Vec<String> {
    let line = format!(
        "messaging --adapter echo --target ws://{}/ --conns 4 --rate 100 --ramp 100ms --duration 3s \
         --warmup 0s --no-ceiling --late-after 1m --server-metrics {page}",
        sink.address
    );
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_servers_metrics_are_read_during_the_run_and_quoted() -> Result<()> {
    let sink = Sink::start()?;
    let page = format!("http://{}/metrics", serve_metrics()?);
    let folder = tempfile::tempdir()?;
    let mut arguments = arguments(&sink, page.clone());
    arguments.extend(["--out-dir".to_owned(), folder.path().display().to_string()]);
    let output = wsbench(&arguments)?;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains(&page) && text.contains("fsync_seconds p99 <= 0.01"), "{text}");
    let run = fs::read_dir(folder.path())?.next().expect("a folder")?.path();
    let report: Report = serde_json::from_str(&fs::read_to_string(run.join("report.json"))?)?;
    let server = report.server.expect("it was watched");
    assert_eq!(server.metrics_url, Some(page));
    let [first, last] = server.metrics["looks{kind=\"all\"}"];
    assert!(first == 1.0 && last >= 3.0, "{first} {last}");
    assert_eq!(server.metrics_p99["fsync_seconds"], 0.01);
    // What every rate is worth depends on.
    let conditions = &report.rates.conditions;
    let load = (conditions.payload_bytes, conditions.connections, conditions.conversations);
    assert_eq!((load, conditions.fsync_p99_ms), ((128, 4, 4), Some(10.0)));
    // 100 a second, each under way for as long as its echo took.
    let took = report.times_ms["e2eRaw"].mean / 1000.0;
    let under_way = conditions.in_flight_mean.expect("messages were under way");
    assert!((under_way - report.rates.sent_per_second * took).abs() < 1e-6, "{conditions:?}");
    let told = "128 B, 4 connections, 4 conversations, fsync p99 <= 10 ms";
    assert!(text.contains(told), "{text}");
    let table = fs::read_to_string(run.join("metrics.csv"))?;
    assert!(table.starts_with("at_seconds,metric,value\n"), "{table}");
    // At the beginning, after the ramp, after two seconds, at the end.
    let looks = table.lines().filter(|line| line.contains("\"looks{kind=\"\"all\"\"}\","));
    assert!(looks.count() >= 3, "{table}");
    Ok(())
}

#[test]
fn a_page_that_is_asked_for_and_not_there_is_an_error_before_the_run() -> Result<()> {
    let sink = Sink::start()?;
    for page in [format!("http://{}/nothing", serve_metrics()?), "http://127.0.0.1:1/".to_owned()] {
        let output = wsbench(&arguments(&sink, page.clone()))?;
        assert_eq!(output.status.code(), Some(3));
        let stderr = String::from_utf8(output.stderr)?;
        assert!(stderr.contains(&page) && stderr.contains("--server-metrics"), "{stderr}");
    }
    Ok(())
}
