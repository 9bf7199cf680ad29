//! The faces of a run: pages, files for CI, metrics while it goes on, comparisons.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};
use prost::Message;
use wsbench::sink::Sink;

use crate::support::{Liar, WSBENCH, wsbench};

/// A short run whose results are kept in `folder`.
fn run(target: SocketAddr, folder: &Path, more: &[&str]) -> Result<PathBuf> {
    let line = format!(
        "messaging --target ws://{target}/echo --adapter echo --conns 10 --rate 200 --ramp 100ms \
         --duration 1s --warmup 100ms --no-ceiling --late-after 1m --drain 2s"
    );
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    arguments.extend(["--out-dir".to_owned(), folder.display().to_string()]);
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    let output = wsbench(&arguments)?;
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = says.lines().find_map(|line| line.strip_prefix("results are in "));
    Ok(line.with_context(|| says.clone())?.into())
}

/// Whether tags close what they open: enough of XML to notice what is not escaped.
fn is_well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let Some(end) = rest[at..].find('>') else { return false };
        let tag = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        if tag.starts_with(['?', '!']) || tag.ends_with('/') {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) if open.pop() != Some(name.to_owned()) => return false,
            Some(_) => {}
            None => open.push(tag.split_whitespace().next().unwrap_or_default().to_owned()),
        }
    }
    open.is_empty()
}

#[test]
fn the_page_needs_nothing_but_itself_and_shows_what_was_measured() -> Result<()> {
    let sink = Sink::start()?;
    let folder = tempfile::tempdir()?;
    let results = run(sink.address, folder.path(), &["--lang", "zh"])?;
    let page = fs::read_to_string(results.join("report.html"))?;
    for part in [
        "<html lang=\"zh-CN\">",
        "Latency over time",
        "延迟变化",
        "Messages per second",
        "Latency by percentile",
        "Where every message went",
        "10 connections to ws://127.0.0.1",
        "wsbench messaging --target",
    ] {
        ensure!(page.contains(part), "{part} is missing");
    }
    for elsewhere in ["src=", "<link", "@import", "url("] {
        assert!(!page.contains(elsewhere), "{elsewhere}: the page asks for something else");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "numbers are numbers");
    let svgs: Vec<_> = page.split("<svg").skip(1).map(|rest| rest.split("</svg>").next()).collect();
    assert!(svgs.len() >= 8, "{}", svgs.len());
    let figures = page.split("<figure").skip(1);
    for figure in figures {
        let figure =
            format!("<figure{}</figure>", figure.split("</figure>").next().unwrap_or_default());
        assert!(is_well_formed(&figure), "{figure}");
        assert_eq!(
            figure.matches("<path class=\"line").count() % 2,
            0,
            "wide and narrow show the same"
        );
    }
    Ok(())
}

#[test]
fn a_report_that_was_kept_can_be_written_again() -> Result<()> {
    let sink = Sink::start()?;
    let folder = tempfile::tempdir()?;
    let results = run(sink.address, folder.path(), &[])?;
    let page = results.join("report.html");
    let before = fs::read_to_string(&page)?;
    fs::remove_file(&page)?;
    let folder = folder.path().display().to_string();
    assert_eq!(wsbench(&["report", &folder])?.status.code(), Some(0));
    assert_eq!(fs::read_to_string(&page)?, before, "from report.json alone");
    let markdown = wsbench(&["report", &folder, "--output", "markdown"])?;
    assert_eq!(String::from_utf8(markdown.stdout)?, fs::read_to_string(results.join("report.md"))?);
    let nothing = wsbench(&["report", "/nonexistent/report.json"])?;
    assert_eq!(nothing.status.code(), Some(2));
    Ok(())
}

#[test]
fn ci_is_told_of_what_was_missed_and_what_is_broken() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let liar = Liar::start(&["--drop", "7"])?;
    let results = run(liar.address, folder.path(), &["--threshold", "e2e.p50<1us"])?;
    let xml = fs::read_to_string(results.join("junit.xml"))?;
    assert!(is_well_formed(&xml), "{xml}");
    assert!(xml.contains("e2e.p50&lt;1us"), "what is asked for is escaped: {xml}");
    assert!(xml.contains("<failure type=\"delivery-broken\""), "{xml}");
    assert!(xml.contains("<failure type=\"threshold\""), "{xml}");
    assert!(xml.contains("failures=\"2\" errors=\"0\""), "{xml}");
    let markdown = fs::read_to_string(results.join("report.md"))?;
    for part in ["### ❌ wsbench messaging", "> [!CAUTION]", "| ❌ | e2e.p50<1us |", "**"] {
        assert!(markdown.contains(part), "{part} is missing in {markdown}");
    }
    Ok(())
}

#[test]
fn every_form_shows_the_steps_of_a_rising_load_and_what_was_run_meanwhile() -> Result<()> {
    let sink = Sink::start()?;
    let folder = tempfile::tempdir()?;
    let line = format!(
        "backpressure-ramp --target ws://{}/echo --adapter echo --conns 4 --rate-from 50 \
         --step 300ms --ramp 100ms --duration 1s --no-ceiling --late-after 1m --drain 2s --out-dir",
        sink.address
    );
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    let out = folder.path().display().to_string();
    arguments.extend([out.as_str(), "--run-at", "200ms:exit 3"]);
    let says = String::from_utf8(wsbench(&arguments)?.stderr)?;
    let results = says.lines().find_map(|line| line.strip_prefix("results are in "));
    let results = Path::new(results.with_context(|| says.clone())?);
    let form = |name: &str| fs::read_to_string(results.join(name));
    let (page, markdown, xml) = (form("report.html")?, form("report.md")?, form("junit.xml")?);
    for (form, parts) in [
        (&page, ["Messages a second, step by step", "Knee", "exit 3", "The load"]),
        (&markdown, ["| /s | sent | delivered |", "Knee: **", "exit 3", "With: "]),
        (&xml, ["name=\"step.1\"", "name=\"conditions\"", "exit 3", "name=\"step.2.p99Ms\""]),
    ] {
        for part in parts {
            assert!(form.contains(part), "{part} is missing in {form}");
        }
    }
    assert!(is_well_formed(&xml), "{xml}");
    Ok(())
}

/// What is at a path of an HTTP server.
fn get(address: &str, path: &str) -> Result<String> {
    let mut socket = TcpStream::connect(address)?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn prometheus_reads_the_run_while_it_goes_on_over_all_processes() -> Result<()> {
    let sink = Sink::start()?;
    let line = format!(
        "messaging --target ws://{}/ --adapter echo --conns 12 --rate 300 --ramp 100ms --duration 30s \
         --warmup 0s --no-ceiling --workers 3 --ping-interval 200ms --prometheus 127.0.0.1:0",
        sink.address
    );
    let mut child = Command::new(WSBENCH)
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = std::io::BufReader::new(child.stderr.take().context("stderr is piped")?);
    let mut lines = std::io::BufRead::lines(stderr);
    let address = lines
        .by_ref()
        .find_map(|line| Some(line.ok()?.strip_prefix("metrics are at http://")?.to_owned()))
        .context("the address")?;
    let address = address.trim_end_matches("/metrics").to_owned();
    let value = |page: &str, name: &str| -> f64 {
        let line = page.lines().find(|line| line.starts_with(&format!("{name}{{")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(-1.0)
    };
    // The seconds go by; each page is as of the last one.
    let page = loop {
        let page = get(&address, "/metrics")?;
        if value(&page, "im_e2e_latency_ms_count") > 0.0
            && value(&page, "ws_pong_rtt_ms_count") > 0.0
        {
            break page;
        }
        ensure!(child.try_wait()?.is_none(), "the run ended first");
        thread::yield_now();
    };
    let missing = get(&address, "/else")?;
    interrupt(child.id());
    child.wait()?;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    assert!(
        page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
        "{page}"
    );
    assert_eq!(value(&page, "ws_connect_ok"), 12.0, "the connections of all workers: {page}");
    for name in [
        "ws_connect_fail",
        "ws_auth_ok",
        "ws_auth_fail",
        "im_sent_total",
        "im_dup_total",
        "im_reorder_total",
        "im_e2e_latency_ms_bucket",
        "im_e2e_latency_ms_sum",
        "wsbench_connections",
    ] {
        assert!(value(&page, name) >= 0.0, "{name} is missing in {page}");
    }
    assert!(value(&page, "im_e2e_latency_ms_count") > 0.0);
    assert!(page.contains("scenario=\"messaging\""));
    Ok(())
}

/// Asks a child for its end, as Ctrl-C does.
fn interrupt(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = Pid::from_raw(pid as i32).expect("a child has a number");
    kill_process(pid, Signal::INT).expect("it is our child");
}

/// The protocol's messages, written down again: what the sender has of it must not be what
/// judges it.
#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// The head of a request, and what it held if it was accepted.
type Received = (String, Option<WriteRequest>);

/// A receiver of remote write: answers the requests with these statuses, then with 204.
/// What it accepted comes out of the channel, with the heads of all requests.
fn receiver(statuses: Vec<u16>) -> Result<(SocketAddr, mpsc::Receiver<Received>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, requests) = mpsc::sync_channel(1000);
    let mut statuses = statuses.into_iter();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            // A sender that goes away in the middle of a request has failed, and the test
            // will say so.
            let _ = receive(socket, &mut || statuses.next().unwrap_or(204), &sender);
        }
    });
    Ok((address, requests))
}

fn receive(
    mut socket: TcpStream,
    status: &mut dyn FnMut() -> u16,
    sender: &mpsc::SyncSender<Received>,
) -> Result<()> {
    let mut data = Vec::new();
    let mut part = [0; 4096];
    loop {
        let head = loop {
            if let Some(at) = data.windows(4).position(|end| end == b"\r\n\r\n") {
                break String::from_utf8(data.drain(..at + 4).collect())?.to_ascii_lowercase();
            }
            match socket.read(&mut part)? {
                0 => return Ok(()),
                count => data.extend_from_slice(&part[..count]),
            }
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("a length")?.parse()?;
        while data.len() < length {
            let count = socket.read(&mut part)?;
            ensure!(count > 0, "cut off");
            data.extend_from_slice(&part[..count]);
        }
        let body: Vec<u8> = data.drain(..length).collect();
        let status = status();
        let plain = snap::raw::Decoder::new().decompress_vec(&body)?;
        let request = WriteRequest::decode(&plain[..])?;
        sender.send((head, (status == 204).then_some(request)))?;
        write!(socket, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n")?;
    }
}

fn remote_run(address: SocketAddr) -> Result<String> {
    let sink = Sink::start()?;
    let line = format!(
        "messaging --target ws://{}/ --adapter echo --conns 10 --rate 100 --ramp 100ms --duration 1s \
         --warmup 0s --no-ceiling --late-after 1m --prometheus-remote-write http://me:pw@{address}/api/v1/write",
        sink.address
    );
    let output = wsbench(&line.split_whitespace().collect::<Vec<_>>())?;
    ensure!(output.status.code() == Some(0), "{output:?}");
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn remote_write_is_decoded_by_a_receiver_that_was_away_at_first() -> Result<()> {
    let (address, requests) = receiver(vec![503])?;
    let says = remote_run(address)?;
    assert!(!says.contains("could not be sent"), "{says}");
    let requests: Vec<_> = requests.try_iter().collect();
    let (head, refused) = requests.first().context("a request")?;
    assert!(refused.is_none());
    for line in [
        "post /api/v1/write http/1.1",
        "content-encoding: snappy",
        "content-type: application/x-protobuf",
        "x-prometheus-remote-write-version: 0.1.0",
        "authorization: basic bwu6chc=",
    ] {
        assert!(head.contains(line), "{line} is missing in {head}");
    }
    let series: Vec<TimeSeries> = requests
        .into_iter()
        .filter_map(|(_, request)| request)
        .flat_map(|r| r.timeseries)
        .collect();
    let label = |series: &TimeSeries, name: &str| {
        series.labels.iter().find(|label| label.name == name).map(|label| label.value.clone())
    };
    for one in &series {
        assert!(one.labels.is_sorted_by(|a, b| a.name < b.name), "{one:?}");
        assert!(label(one, "machine").is_some() && label(one, "run").is_some(), "{one:?}");
        assert!(one.samples.len() == 1 && one.samples[0].timestamp > 1_600_000_000_000, "{one:?}");
    }
    let last = |name: &str| {
        let all = series.iter().filter(|one| label(one, "__name__").as_deref() == Some(name));
        all.map(|one| one.samples[0].value).fold(-1.0, f64::max)
    };
    assert_eq!(last("ws_connect_ok"), 10.0);
    assert!(last("im_sent_total") >= 90.0, "{}", last("im_sent_total"));
    // What was due before the measuring began is delivered, and not timed.
    let (delivered, timed) = (last("im_recv_unique_total"), last("im_e2e_latency_ms_count"));
    assert!(delivered >= 80.0 && (delivered - 10.0..=delivered).contains(&timed), "{timed}");
    Ok(())
}

#[test]
fn a_receiver_that_refuses_is_told_of_and_fails_nothing() -> Result<()> {
    let (address, _requests) = receiver(vec![400; 100])?;
    let says = remote_run(address)?;
    assert!(says.contains("could not be sent") && says.contains("status 400"), "{says}");
    assert!(!says.contains("pw@"), "no password in {says}");
    Ok(())
}

#[test]
fn runs_that_were_not_asked_to_do_the_same_are_not_compared() -> Result<()> {
    let sink = Sink::start()?;
    let [one, other] = [tempfile::tempdir()?, tempfile::tempdir()?];
    run(sink.address, one.path(), &[])?;
    run(sink.address, other.path(), &["--payload-size", "64"])?;
    let [a, b] = [&one, &other].map(|folder| folder.path().display().to_string());
    let refused = wsbench(&["compare", &a, &b])?;
    assert_eq!(refused.status.code(), Some(2));
    let says = String::from_utf8(refused.stderr)?;
    assert!(says.contains("payloadSize was 128, is 64") && says.contains("--force"), "{says}");
    let forced = wsbench(&["compare", &a, &b, "--force", "--output", "json"])?;
    let comparisons: serde_json::Value = serde_json::from_slice(&forced.stdout)?;
    assert_eq!(comparisons[0]["runs"], serde_json::json!([1, 1]));
    Ok(())
}

/// Every name that the dashboard asks for is one that a run has.
#[test]
fn the_dashboard_shows_metrics_that_there_are() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/wsbench.json");
    let dashboard: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let known = wsbench::export::names();
    let panels = dashboard["panels"].as_array().context("panels")?;
    let asked = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut names = 0;
    for target in asked {
        let expression = target["expr"].as_str().context("an expression")?;
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words
            .filter(|word| ["ws_", "im_", "wsbench_"].iter().any(|start| word.starts_with(start)))
        {
            names += 1;
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            ensure!(known.contains(&name), "{name} of {expression} is no metric");
        }
    }
    assert!(names > 20, "{names}");
    Ok(())
}
