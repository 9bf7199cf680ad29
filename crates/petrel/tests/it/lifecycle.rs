//! Starting, failing to start, stopping and starting again; and `petrel token`.

use std::fs;
use std::net::TcpListener;

use anyhow::Result;
use petrel_protocol::close::CloseCode;
use petrel_testkit::client::{Connect, chat};
use petrel_testkit::in_time;
use petrel_testkit::server::{Exit, Launcher, Signal, run};
use petrel_types::UserId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{ALICE, BOB, PETREL, bench_server, launcher};

#[tokio::test]
async fn a_signal_drains_and_a_restart_finds_everything() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let mut expected = 0;
    let mut epoch = None;
    let mut registered = None;
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let server = launcher.start().await?;
        let mut alice = server.connect(ALICE, "phone").await?;
        let mut bob = server.connect(BOB, "phone").await?;
        let mut unauthenticated = Connect::to(server.gateway_address()).open().await?;
        let user = match registered {
            None => server.http().new_user("ann").await?.user_id,
            Some(_) => {
                let answer = server.http().login("ann", "correct horse").await?;
                answer.data::<petrel_protocol::http::LoggedIn>()?.user_id
            }
        };
        assert_eq!(*registered.get_or_insert(user), user);

        let now = alice.auth_ok().map(|auth_ok| auth_ok.epoch);
        assert_eq!(epoch.get_or_insert(now), &now, "an epoch outlives a restart");
        let before = alice.sync_all(None).await?;
        if let Some(entry) = before.conversations.first() {
            let timeline = bob.pull_all(entry.conversation_id).await?;
            assert_eq!(timeline.events.len(), expected);
        }
        for number in 0..10 {
            let name = format!("m{}-{number}", expected);
            alice.chat(BOB, &name, "hello").await?;
            alice.expect_saved().await?;
            bob.expect_chat().await?;
        }
        expected += 10;

        server.signal(signal).await?;
        let mut returns = Vec::new();
        for client in [&mut alice, &mut bob, &mut unauthenticated] {
            let reason = client.expect_closed_with(CloseCode::Drain).await?;
            returns.push(reason.retry_after_ms.expect("a drain says when to return"));
        }
        assert_ne!(returns[0], returns[1], "not all at once");
        let (http, gateway) = (server.http_address(), server.gateway_address());
        let exit = server.wait().await?;
        assert_eq!(exit.code, Some(0), "{signal:?}: {}", exit.stderr);
        for port in [http, gateway] {
            assert!(TcpStream::connect(port).await.is_err(), "somebody is left");
        }
    }

    let server = launcher.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let entry = &alice.sync_all(None).await?.conversations[0];
    let timeline = alice.pull_all(entry.conversation_id).await?;
    assert_eq!(timeline.events.len(), expected);
    Ok(())
}

#[tokio::test]
async fn return_times_are_spread_over_all_connections() -> Result<()> {
    const CONNECTIONS: u64 = 12;
    let server = bench_server().await?;
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        let user = UserId::new(ALICE.get() + number);
        clients.push(server.connect(user, "phone").await?);
        clients.push(Connect::to(server.gateway_address()).open().await?);
    }
    server.signal(Signal::Terminate).await?;
    let mut returns = std::collections::BTreeSet::new();
    for client in &mut clients {
        let reason = client.expect_closed_with(CloseCode::Drain).await?;
        let after_ms = reason.retry_after_ms.expect("a drain says when to return");
        // Half a second, and five over which they are spread.
        assert!((500..5_500).contains(&after_ms), "{after_ms}");
        returns.insert(after_ms);
    }
    assert_eq!(returns.len() as u64, 2 * CONNECTIONS, "some come back together: {returns:?}");
    Ok(())
}

#[tokio::test]
async fn a_drain_under_load_loses_nothing_acknowledged() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.send_all((0..500).map(|number| chat(BOB, &format!("m{number}"), "hello"))).await?;
    let mut acks = vec![alice.expect_saved().await?];
    server.signal(Signal::Interrupt).await?;
    while let Ok(ack) = alice.expect_saved().await {
        acks.push(ack);
    }
    assert_eq!(server.wait().await?.code, Some(0));

    let server = launcher.start().await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let timeline = bob.pull_all(acks[0].conversation_id).await?;
    for (event, ack) in timeline.events.iter().zip(&acks) {
        assert_eq!(event.server_msg_id, ack.server_msg_id);
        assert_eq!(event.client_msg_id, ack.client_msg_id);
    }
    assert!(timeline.events.len() >= acks.len());
    Ok(())
}

#[tokio::test]
async fn peers_that_do_not_listen_do_not_keep_the_server_up() -> Result<()> {
    let server = bench_server().await?;
    // Never polled again, so it returns no close frame.
    let _deaf = server.connect(ALICE, "phone").await?;
    let _silent = [
        TcpStream::connect(server.http_address()).await?,
        TcpStream::connect(server.gateway_address()).await?,
    ];
    let exit = server.stop(Signal::Interrupt).await?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    Ok(())
}

#[tokio::test]
async fn a_second_signal_ends_at_once() -> Result<()> {
    let server = bench_server().await?;
    let mut polite = server.connect(BOB, "phone").await?;
    // Keeps the drain waiting while the second signal comes: a request that is being read, as
    // the server says itself.
    let mut unfinished = TcpStream::connect(server.http_address()).await?;
    let head = "POST /api/auth/login HTTP/1.1\r\nhost: petrel\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nexpect: 100-continue\r\n\r\n";
    unfinished.write_all(head.as_bytes()).await?;
    let mut go_on = [0; 12];
    in_time("to be told to go on", unfinished.read_exact(&mut go_on)).await??;
    assert_eq!(&go_on, b"HTTP/1.1 100");
    server.signal(Signal::Interrupt).await?;
    polite.expect_closed_with(CloseCode::Drain).await?;
    let exit = server.stop(Signal::Interrupt).await?;
    assert_eq!(exit.code, Some(130), "{}", exit.stderr);
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let http = launcher()?.http(address);
    let text = refused_to_start(&http).await?;
    assert!(text.contains(&address.to_string()) && text.contains("--http"), "{text}");
    let gateway = launcher()?.gateway(address);
    let text = refused_to_start(&gateway).await?;
    assert!(text.contains(&address.to_string()) && text.contains("--gateway"), "{text}");
    // It was told before anything was touched.
    assert_eq!(fs::read_dir(gateway.data())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn an_unusable_data_directory_is_one_clear_line() -> Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("file");
    fs::write(&file, "not a directory")?;
    for path in [file.clone(), file.join("below")] {
        let text = refused_to_start(&launcher()?.data_directory(&path)).await?;
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
    assert_eq!(fs::read_to_string(&file)?, "not a directory");

    // Something else lies where the database would be.
    let launcher = launcher()?;
    launcher.start().await?.stop(Signal::Interrupt).await?;
    let databases: Vec<_> = fs::read_dir(launcher.data())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    assert!(!databases.is_empty(), "{:?}", launcher.data());
    for database in &databases {
        fs::write(database, "this is not a database, but long enough to be one".repeat(100))?;
    }
    refused_to_start(&launcher).await?;
    Ok(())
}

#[tokio::test]
async fn a_data_directory_has_one_server_at_a_time() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let text = refused_to_start(&launcher).await?;
    assert!(text.contains("in use"), "{text}");
    // The first one is not disturbed, and its end frees the directory.
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.chat(BOB, "m", "hello").await?;
    alice.expect_saved().await?;
    server.kill().await?;
    launcher.start().await?;
    Ok(())
}

#[tokio::test]
async fn weak_and_malformed_secrets_are_refused() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    launcher.start().await?.stop(Signal::Interrupt).await?;
    for name in ["token.key", "bench-issuer.key"] {
        let path = launcher.data().join("secrets").join(name);
        let good = fs::read_to_string(&path)?;
        for bad in ["Y2hhbmdlLW1l\n", "", "not base64!"] {
            fs::write(&path, bad)?;
            let text = refused_to_start(&launcher).await?;
            assert!(text.contains(&path.display().to_string()), "{text}");
        }
        fs::write(&path, good)?;
    }
    launcher.start().await?;
    Ok(())
}

#[tokio::test]
async fn the_bench_issuer_stays_on_loopback() -> Result<()> {
    for everywhere in [launcher()?.http("0.0.0.0:0"), launcher()?.gateway("0.0.0.0:0")] {
        let text = refused_to_start(&everywhere.clone().bench_issuer()).await?;
        assert!(text.contains("--bench-issuer-anywhere"), "{text}");
        assert_eq!(fs::read_dir(everywhere.data())?.count(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_command_line_is_not_a_failed_start() -> Result<()> {
    for arguments in [
        &["serve", "--no-such-option"][..],
        &["serve", "--http", "localhost"],
        &["serve", "--bench-issuer-anywhere"],
        &["token"],
        &["token", "1", "--count", "0"],
        &["no-such-command"],
    ] {
        let exit = run(PETREL, arguments).await?;
        assert_eq!(exit.code, Some(2), "{arguments:?}: {}", exit.stderr);
    }
    let exit = launcher()?.argument("--log").argument("a=b=c").start_and_fail().await?;
    assert_one_clear_line(&exit);
    Ok(())
}

#[tokio::test]
async fn printed_tokens_let_their_users_in() -> Result<()> {
    let server = bench_server().await?;
    let user = server.http().new_user("ann").await?.user_id;
    let data = server.data().display().to_string();
    let connect = Connect::to(server.gateway_address());

    let exit = run(PETREL, &["token", "1000001", "--data-dir", &data, "--count", "3"]).await?;
    assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
    let tokens: Vec<_> = exit.stdout.lines().collect();
    assert_eq!(tokens.len(), 3);
    for (token, expected) in tokens.iter().zip(1_000_001..) {
        let client = connect.authenticate(token).await?;
        assert_eq!(client.auth_ok().unwrap().from, UserId::new(expected));
    }
    let exit = run(PETREL, &["token", &user.to_string(), "--data-dir", &data]).await?;
    let client = connect.authenticate(exit.stdout.trim()).await?;
    assert_eq!(client.auth_ok().unwrap().from, user);
    Ok(())
}

#[tokio::test]
async fn tokens_that_can_not_be_made_are_one_clear_line() -> Result<()> {
    let launcher = launcher()?;
    let data = launcher.data().display().to_string();
    let token = async |user: &str, more: &[&str]| {
        let arguments = [&["token", user, "--data-dir", &data], more].concat();
        run(PETREL, &arguments).await
    };
    // No server was ever started here.
    for user in ["1", "10000000001"] {
        let exit = token(user, &[]).await?;
        assert_one_clear_line(&exit);
        assert!(exit.stderr.contains("petrel serve"), "{}", exit.stderr);
    }
    // One without load-test users was.
    launcher.start().await?.stop(Signal::Interrupt).await?;
    assert_eq!(token("10000000001", &[]).await?.code, Some(0));
    let exit = token("1", &[]).await?;
    assert_one_clear_line(&exit);
    assert!(exit.stderr.contains("--bench-issuer"), "{}", exit.stderr);

    launcher.clone().bench_issuer().start().await?.stop(Signal::Interrupt).await?;
    assert_eq!(token("10000000000", &[]).await?.code, Some(0));
    assert_one_clear_line(&token("0", &[]).await?);
    assert_one_clear_line(&token("10000000000", &["--count", "2"]).await?);
    assert_one_clear_line(&token("18446744073709551615", &["--count", "2"]).await?);
    Ok(())
}

/// Starts a server that must refuse to run, and returns what it said.
async fn refused_to_start(launcher: &Launcher) -> Result<String> {
    let exit = launcher.start_and_fail().await?;
    assert_one_clear_line(&exit);
    Ok(exit.stderr)
}

fn assert_one_clear_line(exit: &Exit) {
    let lines: Vec<_> = exit.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "not one line: {exit:?}");
    assert!(lines[0].starts_with("petrel: "), "{exit:?}");
    assert_eq!(exit.code, Some(3), "{exit:?}");
    assert_eq!(exit.stdout, "", "{exit:?}");
}

#[test]
fn the_product_has_no_faults_built_in() {
    let binary = fs::read(PETREL).unwrap();
    let marker = b"PETREL_MUTANT";
    let found = binary.windows(marker.len()).any(|window| window == marker);
    assert!(!found, "{PETREL} was built with the feature `mutants`");
}
