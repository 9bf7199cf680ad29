//! Who is let in, by which door, and what everybody else is told.

use std::time::{Duration, Instant};

use anyhow::Result;
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{ClientFrame, Ping, ServerFrame};
use petrel_protocol::http::{LoggedIn, Profile};
use petrel_protocol::token::{BENCH_ISSUER, Claims, LOCAL_ISSUER};
use petrel_testkit::client::{Client, Connect};
use petrel_testkit::http::Answer;
use petrel_testkit::mint::Mint;
use petrel_testkit::server::Server;
use petrel_types::UserId;
use petrel_types::limits::{AUTH_TIMEOUT_MS, DEVICE_TEXT_BYTES_MAX};
use serde_json::json;

use crate::support::{ALICE, BOB, bench_server, launcher};

const PASSWORD: &str = "correct horse";

#[tokio::test]
async fn users_register_log_in_and_learn_who_they_are() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let answer = http.register("Ann.1_x-y", PASSWORD).await?;
    assert_eq!(answer.status, 200);
    let body = answer.json()?;
    assert_eq!(
        body,
        json!({
            "code": 0, "message": "ok",
            "data": {
                "userId": "10000000001", "username": "Ann.1_x-y",
                "loginId": "1",
                "accessToken": body["data"]["accessToken"], "expiresIn": 15 * 60,
                "refreshToken": body["data"]["refreshToken"],
                "refreshExpiresIn": 30 * 24 * 60 * 60,
            },
        })
    );
    let registered: LoggedIn = answer.data()?;

    // The name in any case, the password in its own.
    let logged_in: LoggedIn = http.login("ann.1_X-Y", PASSWORD).await?.data()?;
    assert_eq!(logged_in.user_id, registered.user_id);
    assert_eq!(logged_in.username, "Ann.1_x-y");
    for token in [&registered.access_token, &logged_in.access_token] {
        let me: Profile = http.get_as(token, "/api/users/me").await?.data()?;
        assert_eq!(me.user_id, registered.user_id);
        assert_eq!(me.username.as_deref(), Some("Ann.1_x-y"));
    }

    let second = http.new_user("ben").await?;
    assert_eq!(second.user_id, UserId::new(10_000_000_002));
    Ok(())
}

#[tokio::test]
async fn wrong_registrations_and_log_ins_are_refused_with_their_reasons() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    http.new_user("ann").await?;

    let long_name = "x".repeat(33);
    let long_password = "x".repeat(129);
    let register = "/api/auth/register";
    let login = "/api/auth/login";
    let credentials =
        |name: &str, password: &str| json!({"username": name, "password": password}).to_string();
    let cases = [
        (register, credentials("ann", PASSWORD), "username_taken"),
        (register, credentials("ANN", PASSWORD), "username_taken"),
        (register, credentials("ab", PASSWORD), "bad_username"),
        (register, credentials(&long_name, PASSWORD), "bad_username"),
        (register, credentials("a b c", PASSWORD), "bad_username"),
        (register, credentials("änne", PASSWORD), "bad_username"),
        (register, credentials("ben", "1234567"), "weak_password"),
        (register, credentials("ben", &long_password), "weak_password"),
        (register, "{".to_owned(), "bad_json"),
        (register, json!({"username": "ben"}).to_string(), "invalid_field"),
        (login, credentials("ann", "wrong horse"), "bad_credentials"),
        (login, credentials("nobody", PASSWORD), "bad_credentials"),
        (login, json!({"username": 1}).to_string(), "invalid_field"),
        // The fields in their order are no body, even where all of them may be left out.
        (register, json!(["ben", PASSWORD]).to_string(), "invalid_field"),
        ("/api/auth/logout", "[]".to_owned(), "invalid_field"),
        ("/api/auth/logout", "null".to_owned(), "invalid_field"),
    ];
    for (path, body, reason) in cases {
        let answer = http.post(path, &body).await?;
        assert_eq!(answer.failure()?.reason.as_str(), reason, "{path} {body}");
    }
    // Nobody learns from the answer whether the name exists.
    let texts = [
        http.login("ann", "wrong horse").await?.failure()?.message,
        http.login("nobody", PASSWORD).await?.failure()?.message,
    ];
    assert_eq!(texts[0], texts[1]);

    let untyped = http.request("POST", login, &[], "{}").await?;
    assert_eq!(untyped.failure()?.reason, ErrorReason::UnsupportedMediaType);
    // None of these made a user.
    assert_eq!(http.new_user("ben").await?.user_id.get(), 10_000_000_002);
    Ok(())
}

#[tokio::test]
async fn registration_can_be_closed() -> Result<()> {
    let server = launcher()?.argument("--registration").argument("closed").start().await?;
    let answer = server.http().register("ann", PASSWORD).await?;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.failure()?.reason, ErrorReason::RegistrationClosed);
    Ok(())
}

#[tokio::test]
async fn a_token_opens_every_door() -> Result<()> {
    let server = bench_server().await?;
    let registered = server.http().new_user("ann").await?;
    let users =
        [(registered.user_id, registered.access_token), (ALICE, server.mint()?.token(ALICE))];
    for (user, token) in &users {
        for port in [server.gateway_address(), server.http_address()] {
            let connect = Connect::to(port);
            let mut clients = Vec::new();
            for door in upgrade_doors(&connect, token) {
                clients.push(door.open_authenticated().await?);
            }
            clients.push(connect.clone().device("phone").authenticate(token).await?);
            for client in &mut clients {
                assert_eq!(client.auth_ok().map(|auth_ok| auth_ok.from), Some(*user));
                client.expect_silence().await?;
            }
        }
        let me: Profile = server.http().get_as(token, "/api/users/me").await?.data()?;
        assert_eq!(me.user_id, *user);
    }
    Ok(())
}

#[tokio::test]
async fn auth_ok_says_what_holds_for_the_session() -> Result<()> {
    let server = bench_server().await?;
    let token = server.mint()?.token(ALICE);
    let mut client = Connect::to(server.gateway_address()).open().await?;
    let auth = json!({
        "type": "auth", "id": 7, "token": token, "v": 99, "caps": ["time-travel"],
        "deviceId": "d".repeat(DEVICE_TEXT_BYTES_MAX), "platform": "web", "client": "test/1",
    });
    client.send_text(auth.to_string()).await?;
    let auth_ok = client.next_json().await?;
    assert_eq!(
        auth_ok,
        json!({
            "id": 7, "type": "AUTH_OK", "v": 1, "from": ALICE,
            "sessionId": auth_ok["sessionId"], "epoch": auth_ok["epoch"],
            "ts": auth_ok["ts"], "caps": [],
            "limits": {
                "frameBytes": 65536, "bodyUnits": 4096, "bodyBytes": 16384,
                "sendsInFlight": 256, "pullEvents": 200,
                "groupMembers": 20_000, "changeMembers": 500, "titleUnits": 64,
                "stateMembers": 500, "syncConversations": 200, "ackItems": 256,
                "ackIntervalMs": 1000, "focusConversations": 32, "headMembers": 2000,
                "recallWindowMs": 120_000,
                "editWindowMs": 172_800_000, "retryWindowMs": 604_800_000,
                "pingIntervalMs": 30000, "idleTimeoutMs": 90000,
                "rates": {
                    "framesPerSecond": 40_000, "framesBurst": 80_000,
                    "sendsPerSecond": 20_000, "sendsBurst": 40_000,
                    "readsPerSecond": 500, "readsBurst": 2_000,
                },
            },
        })
    );
    assert!(auth_ok["sessionId"].is_string() && auth_ok["epoch"].is_string());
    Ok(())
}

#[tokio::test]
async fn bad_tokens_open_no_door() -> Result<()> {
    let server = bench_server().await?;
    let user = server.http().new_user("ann").await?.user_id;
    let (bench, local) = (server.mint()?, Mint::local(server.data())?);
    let expired = |mint: &Mint, user| {
        let claims = mint.claims(user);
        mint.sign(&Claims { iat: claims.iat - 7200, exp: claims.iat - 3600, ..claims })
    };
    let as_refresh_token = Claims { typ: "refresh".to_owned(), ..local.claims(user) };
    let of_another_issuer = Claims { iss: "somebody".to_owned(), ..local.claims(user) };
    let mut forged = local.token(user);
    forged.truncate(forged.len() - 4);
    forged.push_str("AAAA");

    let invalid = ErrorReason::InvalidToken;
    let cases = [
        ("an expired one", expired(&local, user), ErrorReason::TokenExpired),
        ("an expired bench one", expired(&bench, ALICE), ErrorReason::TokenExpired),
        ("garbage", "garbage".to_owned(), invalid),
        ("a forged signature", forged, invalid),
        ("our name, another key", Mint::foreign(LOCAL_ISSUER).token(user), invalid),
        ("the bench's name, another key", Mint::foreign(BENCH_ISSUER).token(ALICE), invalid),
        ("an unknown issuer", local.sign(&of_another_issuer), invalid),
        ("a refresh token", local.sign(&as_refresh_token), invalid),
        ("a registered user by the bench", bench.token(user), invalid),
        ("a load-test user by us", local.token(ALICE), invalid),
        ("nobody", bench.token(UserId::new(0)), invalid),
    ];
    for (what, token, reason) in cases {
        opens_no_door(&server, &token, reason).await.map_err(|error| error.context(what))?;
    }
    Ok(())
}

#[tokio::test]
async fn the_bench_issuer_is_trusted_only_when_asked_for() -> Result<()> {
    let launcher = launcher()?;
    let token = {
        let server = launcher.clone().bench_issuer().start().await?;
        let token = server.mint()?.token(ALICE);
        server.connect(ALICE, "phone").await?;
        server.kill().await?;
        token
    };
    let server = launcher.start().await?;
    opens_no_door(&server, &token, ErrorReason::InvalidToken).await
}

#[tokio::test]
async fn without_a_token_nobody_is_anybody() -> Result<()> {
    let server = bench_server().await?;
    let answer = server.http().get("/api/users/me").await?;
    assert_eq!(answer.failure()?.reason, ErrorReason::MissingToken);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));

    let connect = Connect::to(server.gateway_address());
    let answer = connect.clone().header("authorization", "Basic YTpi").refused().await?;
    assert_eq!(answer.failure()?.reason, ErrorReason::InvalidToken);

    // The first frame is AUTH, or the connection ends.
    let first_frames = [
        (ClientFrame::Ping(Ping {}).encode(None), "unauthorized"),
        (petrel_testkit::client::chat(BOB, "m", "hello").encode(None), "unauthorized"),
        (r#"{"type":"AUTH","v":1}"#.to_owned(), "missing_token"),
        (r#"{"type":"HELLO"}"#.to_owned(), "unknown_type"),
        ("hello".to_owned(), "bad_json"),
    ];
    for (text, reason) in first_frames {
        let mut client = connect.open().await?;
        client.send_text(text.clone()).await?;
        let answer = client.next_json().await?;
        assert_eq!(
            (answer["type"].as_str(), answer["reason"].as_str()),
            (Some("ERROR"), Some(reason)),
            "{text}"
        );
        client.expect_closed_with(CloseCode::Auth).await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_says_nothing_is_sent_away() -> Result<()> {
    let server = bench_server().await?;
    let since = Instant::now();
    let mut client = Connect::to(server.gateway_address()).open().await?;
    client.expect_error(ErrorReason::AuthTimeout).await?;
    let reason = client.expect_closed_with(CloseCode::Auth).await?;
    assert_eq!(reason.retry_after_ms, None);
    // The time began after we did.
    let least = Duration::from_millis(AUTH_TIMEOUT_MS);
    assert!(since.elapsed() >= least, "{:?}", since.elapsed());
    Ok(())
}

#[tokio::test]
async fn wrong_device_descriptions_are_refused_at_every_door() -> Result<()> {
    let server = bench_server().await?;
    let token = server.mint()?.token(ALICE);
    let connect = Connect::to(server.gateway_address());
    let too_long = "d".repeat(DEVICE_TEXT_BYTES_MAX + 1);

    let frames = [
        json!({"type": "AUTH", "token": token, "v": 1, "deviceId": too_long}),
        json!({"type": "AUTH", "token": token, "v": 1, "platform": too_long}),
        json!({"type": "AUTH", "token": token, "v": 0}),
    ];
    for frame in frames {
        let mut client = connect.open().await?;
        client.send_text(frame.to_string()).await?;
        let answer = client.next_json().await?;
        assert_eq!(
            (answer["type"].as_str(), answer["reason"].as_str()),
            (Some("AUTH_FAIL"), Some("invalid_field")),
            "{frame}"
        );
        client.expect_closed_with(CloseCode::Auth).await?;
    }
    for (name, value) in
        [("deviceId", too_long.as_str()), ("platform", too_long.as_str()), ("v", "0"), ("v", "one")]
    {
        let answer = connect.clone().query("token", &token).query(name, value).refused().await?;
        assert_eq!(answer.failure()?.reason, ErrorReason::InvalidField, "{name}={value}");
    }
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_may_not_connect_unless_listed() -> Result<()> {
    let server = launcher()?
        .bench_issuer()
        .argument("--allow-origin")
        .argument("https://chat.example.com")
        .start()
        .await?;
    let token = server.mint()?.token(ALICE);
    let connect = Connect::to(server.gateway_address()).query("token", &token);
    let from = |origin: &str| connect.clone().header("origin", origin);

    let refused = from("https://evil.example.com").refused().await?;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.failure()?.reason, ErrorReason::ForbiddenOrigin);
    let listed = from("https://chat.example.com");
    listed.open_authenticated().await?;
    // Served by the HTTP port of the same host.
    let own = format!("http://{}", server.http_address());
    from(&own).open_authenticated().await?;
    Ok(())
}

/// The ways to give a token with the upgrade.
fn upgrade_doors(connect: &Connect, token: &str) -> [Connect; 3] {
    [
        connect.clone().header("authorization", format!("Bearer {token}")),
        connect.clone().query("token", token),
        connect.clone().query("accessToken", token),
    ]
}

async fn opens_no_door(server: &Server, token: &str, reason: ErrorReason) -> Result<()> {
    let check = |answer: Answer| -> Result<()> {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.failure()?.reason, reason, "{answer:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        let request_id = answer.failure()?.request_id;
        assert_eq!(answer.header("x-request-id"), Some(request_id.as_str()));
        assert!(!answer.body.contains(token), "{answer:?}");
        Ok(())
    };
    check(server.http().get_as(token, "/api/users/me").await?)?;
    for port in [server.gateway_address(), server.http_address()] {
        let connect = Connect::to(port);
        for door in upgrade_doors(&connect, token) {
            check(door.refused().await?)?;
        }
        let mut client: Client = connect.open().await?;
        client.send(&connect.auth(token)).await?;
        match client.next_frame().await? {
            ServerFrame::AuthFail(fail) => assert_eq!(fail.reason, reason, "{fail:?}"),
            other => panic!("expected AUTH_FAIL, got {other:?}"),
        }
        client.expect_closed_with(CloseCode::Auth).await?;
    }
    Ok(())
}
