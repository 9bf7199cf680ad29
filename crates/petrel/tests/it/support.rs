//! What several subjects need.

use std::path::Path;

use anyhow::{Result, ensure};
use petrel_protocol::http::LoggedIn;
use petrel_testkit::PATIENCE;
use petrel_testkit::client::Client;
use petrel_testkit::http::{Answer, Http};
use petrel_testkit::server::{Exit, Launcher, Server, run};
use petrel_types::UserId;
use serde_json::{Value, json};

/// Load-test users, who need no registration.
pub(crate) const ALICE: UserId = UserId::new(1_000_001);
pub(crate) const BOB: UserId = UserId::new(1_000_002);
pub(crate) const CAROL: UserId = UserId::new(1_000_003);

/// The password of everybody who registers.
pub(crate) const PASSWORD: &str = "correct horse";

/// The binary under test.
pub(crate) const PETREL: &str = env!("CARGO_BIN_EXE_petrel");

/// Starts the binary under test on a new data directory.
pub(crate) fn launcher() -> Result<Launcher> {
    Launcher::new(PETREL)
}

/// A new server that lets load-test users in.
pub(crate) async fn bench_server() -> Result<Server> {
    launcher()?.bench_issuer().start().await
}

/// Starts a server that has the admin ada, who logs in.
pub(crate) async fn start_with_admin(launcher: &Launcher) -> Result<(Server, LoggedIn)> {
    let made = petrel_admin(launcher.data(), "create-user --admin ada", PASSWORD).await?;
    ensure!(made.code == Some(0), "{made:?}");
    let server = launcher.start().await?;
    let ada = server.http().login("ada", PASSWORD).await?.data()?;
    Ok((server, ada))
}

/// Waits until `/stats` tells of this many connections. The server counts a connection
/// out when its task ends, which no client can see, so this asks again and again.
pub(crate) async fn connections_become(gateway: &Http, expected: u64) -> Result<()> {
    let poll = async {
        loop {
            let stats = gateway.get("/stats").await?.json()?;
            if stats["total_connections"] == expected {
                return anyhow::Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, poll).await {
        Ok(reached) => reached,
        Err(_) => {
            let stats = gateway.get("/stats").await?.body;
            anyhow::bail!("waited {PATIENCE:?} for {expected} connections: {stats}")
        }
    }
}

/// `petrel admin …` with something on standard input.
pub(crate) async fn petrel_admin(data: &Path, arguments: &str, input: &str) -> Result<Exit> {
    let line = format!(
        "printf '%s' '{input}' | '{PETREL}' admin {arguments} --data-dir '{}'",
        data.display()
    );
    run("sh", &["-c", line.as_str()]).await
}

/// The answer to a frame that asks for something, passing over what is pushed.
pub(crate) async fn ask(client: &mut Client, mut request: Value) -> Result<Value> {
    request["id"] = json!("asked");
    client.send_text(request.to_string()).await?;
    loop {
        let answer = client.next_json().await?;
        if answer["id"] == "asked" {
            return Ok(answer);
        }
    }
}

/// A request with a token and, unless it is null, a body.
pub(crate) async fn ask_as(
    http: &Http,
    token: &str,
    method: &str,
    path: &str,
    body: Value,
) -> Result<Answer> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http.request(method, path, &headers, &body).await
}
