//! What operators see and change while a server runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use petrel_testkit::http::Http;
use petrel_testkit::server::{Server, Signal};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{ALICE, BOB, bench_server, launcher};

fn admin(server: &Server) -> Http {
    Http::new(server.admin_address())
}

/// Every series with its value.
async fn scrape(server: &Server) -> Result<BTreeMap<String, f64>> {
    let answer = admin(server).get("/metrics").await?;
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with("# EOF\n"), "not the OpenMetrics form");
    let mut series = BTreeMap::new();
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').context("a series has a value")?;
        let repeated = series.insert(name.to_owned(), value.parse()?);
        assert_eq!(repeated, None, "{name} is there twice");
    }
    Ok(series)
}

#[tokio::test]
async fn metrics_move_with_what_happens() -> Result<()> {
    let server = bench_server().await?;
    let before = scrape(&server).await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    for number in 0..20 {
        alice.chat(BOB, &format!("m{number}"), "hello").await?;
        alice.expect_saved().await?;
        bob.expect_chat().await?;
    }
    alice.send_text(r#"{"type":"NO_SUCH_THING"}"#).await?;
    alice.next_frame().await?;
    server.http().get("/no/such/path").await?;
    server.http().get("/api/users/me").await?;

    let after = scrape(&server).await?;
    let moved = |name: &str| {
        let value = |series: &BTreeMap<String, f64>| series.get(name).copied().unwrap_or(0.0);
        value(&after) - value(&before)
    };
    assert_eq!(after["petrel_gateway_sessions"], 2.0);
    assert_eq!(after["petrel_gateway_connections"], 2.0);
    assert_eq!(after["petrel_gateway_users_online"], 2.0);
    // 20 sends, the unknown frame, and two AUTH frames, which are read before a session is.
    assert_eq!(moved("petrel_gateway_frames_received_total"), 21.0);
    // Two AUTH_OK, 20 acks, 20 pushes, the error.
    assert_eq!(moved("petrel_gateway_frames_sent_total"), 43.0);
    assert!(moved("petrel_gateway_bytes_received_total") > 20.0 * 50.0);
    assert!(moved("petrel_gateway_bytes_sent_total") > 40.0 * 50.0);
    assert_eq!(moved("petrel_gateway_pushes_total"), 20.0);
    assert_eq!(moved("petrel_gateway_ack_seconds_count"), 20.0);
    assert_eq!(moved("petrel_gateway_refusals_total{reason=\"unknown_type\"}"), 1.0);
    assert_eq!(moved("petrel_sequencer_commands_total"), 20.0);
    assert!(moved("petrel_sequencer_batch_commands_sum") >= 20.0);
    assert!(moved("petrel_store_commits_total") >= 20.0);
    assert_eq!(moved("petrel_store_commits_failed_total"), 0.0);
    assert!(moved("petrel_store_sync_seconds_count") >= 20.0);
    assert!(after["petrel_store_sync_seconds_sum"] > 0.0);
    assert!(after["petrel_store_wal_bytes"] > 0.0);
    assert_eq!(
        moved("petrel_http_requests_total{method=\"GET\",route=\"/api/users/me\",status=\"401\"}"),
        1.0
    );
    assert_eq!(
        moved("petrel_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}"),
        1.0
    );
    assert!(after["process_resident_memory_bytes"] > 1e6);
    assert!(after["process_open_fds"] > 5.0);
    let version = format!("petrel_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(after[&version], 1.0);

    // What has ended is counted by its reason.
    alice.close().await?;
    let closed = async {
        while scrape(&server).await?["petrel_gateway_closes_total{reason=\"gone\"}"] < 1.0 {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    petrel_testkit::in_time("the end of a session to be counted", closed).await??;
    Ok(())
}

/// No client may make the number of series grow without bound.
#[tokio::test]
async fn clients_do_not_make_up_labels() -> Result<()> {
    let server = bench_server().await?;
    let ask = async |number: usize| {
        server.http().get(&format!("/api/conversations/{number}/messages")).await?;
        server.http().get(&format!("/no/such/path/{number}")).await?;
        // The client of the tests knows no such method.
        let mut stream = TcpStream::connect(server.http_address()).await?;
        let request = format!("METHOD{number} /healthz HTTP/1.1\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        petrel_testkit::in_time("an answer", stream.read_to_string(&mut answer)).await??;
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        anyhow::Ok(())
    };
    ask(0).await?;
    let before = scrape(&server).await?.len();
    for number in 1..30 {
        ask(number).await?;
    }
    assert_eq!(scrape(&server).await?.len(), before);
    Ok(())
}

#[tokio::test]
async fn every_metric_is_documented_and_the_reverse() -> Result<()> {
    let server = bench_server().await?;
    server.http().get("/healthz").await?;
    let served = admin(&server).get("/metrics").await?.body;
    let kinds: BTreeMap<&str, &str> =
        served.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut rows = String::new();
    for (name, help) in
        served.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
    {
        let kind = kinds[name];
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        rows.push_str(&format!("| `{name}{suffix}` | {kind} | {} |\n", help.trim_end_matches('.')));
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let document = fs::read_to_string(&path)?;
    let (begin, end) =
        ("| metric | kind | meaning |\n|---|---|---|\n", "\n<!-- end of metrics -->");
    let (head, rest) = document.split_once(begin).context("no table of metrics")?;
    let (kept, tail) = rest.split_once(end).context("the table of metrics has no end")?;
    if std::env::var_os("PETREL_UPDATE").is_some() {
        fs::write(&path, format!("{head}{begin}{rows}{end}{tail}"))?;
        return Ok(());
    }
    let of = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (served, documented) = (of(&rows), of(kept));
    let difference: Vec<_> = served.symmetric_difference(&documented).collect();
    assert!(difference.is_empty(), "served or documented only: {difference:#?}; run `make schema`");
    Ok(())
}

#[tokio::test]
async fn the_log_level_changes_while_the_server_runs() -> Result<()> {
    let server = bench_server().await?;
    let admin = admin(&server);
    assert_eq!(admin.get("/debug/log-level").await?.body, "info\n");
    server.http().get("/healthz?before").await?;
    let changed = admin.request("PUT", "/debug/log-level", &[], "debug").await?;
    assert_eq!((changed.status, &*changed.body), (200, "debug\n"));
    server.http().get("/readable/after").await?;
    let refused = admin.request("PUT", "/debug/log-level", &[], "a=b=c").await?;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("info,petrel_gateway=debug"), "{}", refused.body);
    assert_eq!(admin.get("/debug/log-level").await?.body, "debug\n");

    let log = server.stop(Signal::Interrupt).await?.stderr;
    assert!(!log.contains("/healthz"), "logged before it was asked for: {log}");
    assert!(log.contains("/readable/after"), "not logged after it was asked for: {log}");
    Ok(())
}

#[tokio::test]
async fn the_tasks_are_listed() -> Result<()> {
    let server = bench_server().await?;
    let text = admin(&server).get("/debug/tasks").await?.body;
    for words in ["fan-out", "deriver", "gateway listener", "running", "sequencer-0", "tasks alive"]
    {
        assert!(text.contains(words), "{words} is missing: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_listener_is_for_operators_alone() -> Result<()> {
    let server = bench_server().await?;
    // A page that has its own name resolve to this machine.
    let answer = admin(&server).request("GET", "/metrics", &[("host", "evil.example")], "").await?;
    assert_eq!(answer.status, 403);
    // Nothing of it is on the other ports.
    for http in [server.http(), server.gateway_http()] {
        assert_eq!(http.get("/metrics").await?.status, 404);
        assert_eq!(http.get("/debug/log-level").await?.status, 404);
    }
    let overview = admin(&server).get("/no/such/path").await?;
    assert_eq!(overview.status, 404);
    assert!(overview.body.contains("/debug/pprof/profile"), "{}", overview.body);
    Ok(())
}

/// Two users talk, by frames and by HTTP, with everything logged that can be.
#[tokio::test]
async fn tokens_are_in_no_log_and_requests_are_followed_through_it() -> Result<()> {
    for format in ["pretty", "json"] {
        let launcher = launcher()?.bench_issuer();
        let launcher = launcher.argument("--log").argument("trace");
        let server = launcher.argument("--log-format").argument(format).start().await?;
        let mut bob = server.connect(BOB, "phone").await?;
        let token = server.mint()?.token(ALICE);
        // By frame, by query and by header.
        let mut alice = server.connect(ALICE, "phone").await?;
        let query = format!("/ws?token={token}&accessToken={token}");
        server.gateway_http().get(&query).await?;
        let asked = server.http().get_as(&token, "/api/users/me").await?;
        let request_id = asked.headers["x-request-id"].to_str()?.to_owned();
        alice.chat(BOB, "m", "hello").await?;
        let saved = alice.expect_saved().await?;
        bob.expect_chat().await?;

        let log = server.stop(Signal::Interrupt).await?.stderr;
        let signature = token.rsplit('.').next().context("a token has parts")?;
        assert!(!log.contains(signature), "a token is in the log");
        assert!(!log.contains("eyJ"), "something like a token is in the log");
        assert!(log.contains(&request_id), "an HTTP request is not in the log: {log}");
        // A send is in the log on its way through the parts: under one name up to the
        // commit, by its place from there on.
        let lines =
            |step: &str| -> Vec<&str> { log.lines().filter(|line| line.contains(step)).collect() };
        let place = saved.conversation_id.to_string();
        let stored = lines("stored");
        assert!(stored.len() == 1 && stored[0].contains(&place), "{log}");
        let request = stored[0].split(['=', ' ', '"', ',', ':']).find(|word| {
            word.split_once('.').is_some_and(|(session, tag)| session.len() > 10 && tag == "1")
        });
        let request = request.context("a stored line without a request")?;
        assert!(lines("asked").iter().any(|line| line.contains(request)), "{request}: {log}");
        assert!(lines("pushed").iter().any(|line| line.contains(&place)), "{log}");
        if format == "json" {
            for line in log.lines() {
                serde_json::from_str::<serde_json::Value>(line).context("a line is no JSON")?;
            }
        }
    }
    Ok(())
}
