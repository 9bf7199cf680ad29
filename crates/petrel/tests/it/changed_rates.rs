//! Limits that admins change while the server runs, for those who have no session: requests by
//! HTTP, registrations; and for how long a flood is borne.

use anyhow::Result;
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::http::LoggedIn;
use petrel_protocol::http::admin::AdminLimits;
use petrel_testkit::client::{Connect, Received};
use petrel_testkit::http::Answer;
use serde_json::{Value, json};

use crate::support::{ask_as, launcher, petrel_admin};

const PASSWORD: &str = "correct horse";

/// Asks until it was too often, and says after how many answers.
async fn answers_until_refused(mut ask: impl AsyncFnMut(u32) -> Result<Answer>) -> Result<u32> {
    for number in 0..30 {
        let answer = ask(number).await?;
        if answer.status == 429 {
            assert_eq!(answer.failure()?.reason, ErrorReason::TooManyRequests);
            return Ok(number);
        }
    }
    anyhow::bail!("nothing was too often")
}

#[tokio::test]
async fn requests_registrations_and_floods_are_bounded_at_once() -> Result<()> {
    let launcher = launcher()?.argument("--set").argument("http.trusted_proxies=127.0.0.1");
    petrel_admin(launcher.data(), "create-user --admin ada", PASSWORD).await?;
    let server = launcher.start().await?;
    let http = server.http();
    let ada: LoggedIn = http.login("ada", PASSWORD).await?.data()?;
    let ben = http.new_user("ben").await?;
    let change = async |limits: Value| {
        let change = json!({"limits": limits});
        let answer = ask_as(&http, &ada.access_token, "PATCH", "/api/admin/limits", change).await?;
        answer.data::<AdminLimits>()
    };
    let from = |address| [("content-type", "application/json"), ("x-forwarded-for", address)];

    let of_user = json!({"httpUserRequestsPerSecond": 1, "httpUserRequestsBurst": 2});
    change(of_user).await?;
    let asked =
        answers_until_refused(async |_| http.get_as(&ben.access_token, "/api/users/me").await);
    asked.await?;
    let back = json!({"httpUserRequestsPerSecond": null, "httpUserRequestsBurst": null});
    change(back).await?;
    assert_eq!(http.get_as(&ben.access_token, "/api/users/me").await?.status, 200);

    let of_address = json!({"httpAddressRequestsPerSecond": 1, "httpAddressRequestsBurst": 2});
    change(of_address).await?;
    let headers = from("203.0.113.7");
    let asked =
        answers_until_refused(async |_| http.request("GET", "/api/users/me", &headers, "").await);
    asked.await?;
    let elsewhere = http.request("GET", "/api/users/me", &from("198.51.100.1"), "").await?;
    assert_eq!(elsewhere.status, 401);
    let back = json!({"httpAddressRequestsPerSecond": null, "httpAddressRequestsBurst": null});
    change(back).await?;

    change(json!({"registrationsPerAddress": 1})).await?;
    let registered = answers_until_refused(async |number| {
        let body = json!({"username": format!("cay{number}"), "password": PASSWORD}).to_string();
        http.request("POST", "/api/auth/register", &headers, &body).await
    });
    assert!(registered.await? < 15, "20 are free as configured");

    // A session that is open, too, is borne for as long as is said now.
    let mut session = Connect::to(server.gateway_address()).authenticate(&ben.access_token).await?;
    // So slow that no pause of the machine's is one that calms the server down.
    let flood = json!({
        "sessionFramesPerSecond": 2, "sessionFramesBurst": 10, "floodPatienceMs": 100,
    });
    change(flood).await?;
    let ping = json!({"type": "PING"}).to_string();
    for _ in 0..400 {
        if session.send_text(ping.clone()).await.is_err() {
            break;
        }
    }
    let closed = loop {
        if let Received::Closed(closed) = session.receive().await? {
            break closed;
        }
    };
    assert_eq!(closed.code, Some(CloseCode::Banned.get()), "{closed:?}");
    Ok(())
}
