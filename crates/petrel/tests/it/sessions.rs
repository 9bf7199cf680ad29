//! Which sessions live, and for how long.

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{ClientFrame, Reauth, ServerFrame};
use petrel_protocol::token::Claims;
use petrel_testkit::client::{Client, Connect};
use petrel_testkit::mint::Mint;
use petrel_testkit::server::Server;
use petrel_types::UserId;
use serde_json::json;

use crate::identity::expect_kicked;
use crate::support::{ALICE, BOB, bench_server, launcher};

#[tokio::test]
async fn the_same_device_again_replaces_its_older_session() -> Result<()> {
    let server = bench_server().await?;
    let mut laptop = server.connect(ALICE, "laptop").await?;
    let mut bobs = server.connect(BOB, "phone").await?;
    let mut old = server.connect(ALICE, "phone").await?;
    for _ in 0..3 {
        let mut new = server.connect(ALICE, "phone").await?;
        expect_kicked(&mut old, CloseCode::Replaced).await?;
        new.expect_silence().await?;
        old = new;
    }
    // The newest one is reached, and the others were not disturbed.
    bobs.chat(ALICE, "m1", "hello").await?;
    for client in [&mut old, &mut laptop] {
        match client.next_frame().await? {
            ServerFrame::SingleChat(push) => assert_eq!(push.body, "hello"),
            other => panic!("expected the message, got {other:?}"),
        }
    }
    // Sessions that don't name their device replace nobody.
    let token = server.mint()?.token(ALICE);
    let connect = Connect::to(server.gateway_address());
    let mut nameless = connect.authenticate(&token).await?;
    connect.authenticate(&token).await?.expect_silence().await?;
    for client in [&mut nameless, &mut old, &mut laptop] {
        client.expect_silence().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_legacy_session_is_told_in_its_own_words_that_it_is_replaced() -> Result<()> {
    let server = bench_server().await?;
    let token = server.mint()?.token(ALICE);
    let auth = json!({"type": "AUTH", "token": token, "deviceId": "phone"}).to_string();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Connect::to(server.gateway_address()).open().await?;
        client.send_text(auth.clone()).await?;
        client.expect_auth_ok().await?;
        clients.push(client);
    }
    clients[0].expect_error(ErrorReason::Kicked).await?;
    expect_kicked(&mut clients[0], CloseCode::Replaced).await?;
    clients[1].expect_silence().await
}

#[tokio::test]
async fn a_policy_says_how_many_sessions_there_may_be() -> Result<()> {
    let with = |policy| async move {
        let launcher = launcher()?.bench_issuer().argument("--session-policy").argument(policy);
        launcher.start().await
    };
    let server = with("single").await?;
    let mut bobs = server.connect(BOB, "phone").await?;
    let mut phone = server.connect(ALICE, "phone").await?;
    let mut laptop = server.connect(ALICE, "laptop").await?;
    expect_kicked(&mut phone, CloseCode::Replaced).await?;
    laptop.expect_silence().await?;
    bobs.expect_silence().await?;

    let server = with("one-per-platform").await?;
    let mut ios = on_platform(&server, "a", "ios").await?;
    let mut web = on_platform(&server, "b", "web").await?;
    let mut other_web = on_platform(&server, "c", "web").await?;
    expect_kicked(&mut web, CloseCode::Replaced).await?;
    ios.expect_silence().await?;
    other_web.expect_silence().await
}

#[tokio::test]
async fn a_session_outlives_its_token_only_if_it_is_given_another() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.argument("--set").argument("gateway.expiry_grace=2s").start().await?;
    let mint = server.mint()?;
    let short = lasting(&mint, ALICE, 3);
    let connect = Connect::to(server.gateway_address());
    let mut renewed = connect.clone().device("renewed").authenticate(&short).await?;
    let mut forgotten = connect.clone().device("forgotten").authenticate(&short).await?;
    for client in [&mut renewed, &mut forgotten] {
        match client.next_frame().await? {
            ServerFrame::AuthExpiring(expiring) => assert!(expiring.in_ms <= 1500, "{expiring:?}"),
            other => panic!("expected AUTH_EXPIRING, got {other:?}"),
        }
    }
    // Not with just any token.
    let expired = mint.claims(ALICE);
    let expired = mint.sign(&Claims { exp: expired.iat - 1, ..expired });
    let wrong = [
        (mint.token(BOB), ErrorReason::AnotherUser),
        (expired, ErrorReason::TokenExpired),
        ("garbage".to_owned(), ErrorReason::InvalidToken),
    ];
    for (token, reason) in wrong {
        match reauthenticate(&mut renewed, &token).await? {
            ServerFrame::Error(error) => assert_eq!(error.reason, reason, "{error:?}"),
            other => panic!("expected ERROR, got {other:?}"),
        }
    }
    match reauthenticate(&mut renewed, &mint.token(ALICE)).await? {
        ServerFrame::ReauthOk(ok) => assert!(ok.expires_in_ms > 3_500_000, "{ok:?}"),
        other => panic!("expected REAUTH_OK, got {other:?}"),
    }

    // Once the other one is gone, so is the token that both had.
    forgotten.expect_error(ErrorReason::TokenExpired).await?;
    forgotten.expect_closed_with(CloseCode::Auth).await?;
    let refused = connect.clone().query("token", &short).refused().await?;
    assert_eq!(refused.failure()?.reason, ErrorReason::TokenExpired);
    renewed.expect_silence().await
}

#[tokio::test]
async fn a_session_that_was_given_another_log_in_ends_with_that_one() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let first = http.new_user("ann").await?;
    let second = http.login("ann", "correct horse").await?;
    let second: petrel_protocol::http::LoggedIn = second.data()?;
    let connect = Connect::to(server.gateway_address());
    let mut session = connect.authenticate(&first.access_token).await?;
    let answer = reauthenticate(&mut session, &second.access_token).await?;
    assert!(matches!(answer, ServerFrame::ReauthOk(_)), "{answer:?}");
    http.post_as(&first.access_token, "/api/auth/logout", "{}").await?.json()?;
    session.expect_silence().await?;
    http.post_as(&second.access_token, "/api/auth/logout", "{}").await?.json()?;
    expect_kicked(&mut session, CloseCode::Revoked).await
}

async fn reauthenticate(client: &mut Client, token: &str) -> Result<ServerFrame> {
    let frame = ClientFrame::Reauth(Reauth { token: token.to_owned() });
    client.request(&frame).await.context("REAUTH")
}

fn lasting(mint: &Mint, user: UserId, seconds: u64) -> String {
    let claims = mint.claims(user);
    mint.sign(&Claims { exp: claims.iat + seconds, ..claims })
}

async fn on_platform(server: &Server, device: &str, platform: &str) -> Result<Client> {
    Connect::to(server.gateway_address())
        .query("token", &server.mint()?.token(ALICE))
        .query("v", "1")
        .query("deviceId", device)
        .query("platform", platform)
        .open_authenticated()
        .await
}
