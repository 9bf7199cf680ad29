//! Log-ins: tokens that replace each other, devices that are sent away, doors that stay
//! shut.

use std::path::Path;

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::ServerFrame;
use petrel_protocol::http::{Devices, Invite, LoggedIn, Profile, Revoked};
use petrel_testkit::client::{Client, Connect};
use petrel_testkit::http::{Answer, Http};
use petrel_testkit::server::{Server, Signal, run};
use serde_json::json;

use crate::support::{PASSWORD, PETREL, launcher, petrel_admin};

#[tokio::test]
async fn refresh_tokens_rotate_and_a_copy_ends_the_log_in() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let first = http.new_user("ann").await?;
    let second: LoggedIn = http.refresh(&token_of(&first)?).await?.data()?;
    assert_eq!((second.user_id, second.login_id), (first.user_id, first.login_id));
    assert_ne!(second.refresh_token, first.refresh_token);

    // The answer was lost: the same question gets the same answer.
    let again: LoggedIn = http.refresh(&token_of(&first)?).await?.data()?;
    assert_eq!(again.refresh_token, second.refresh_token);
    // Two tabs at once.
    let (one, other) = tokio::join!(
        async { http.refresh(&token_of(&second)?).await?.data::<LoggedIn>() },
        async { http.refresh(&token_of(&second)?).await?.data::<LoggedIn>() },
    );
    let (third, other) = (one?, other?);
    assert_eq!(third.refresh_token, other.refresh_token);

    // The first one is a copy now: whoever has it is sent away, and everybody with it.
    let mut session = connect(&server, &third.access_token).await?;
    expect_refused(&http.refresh(&token_of(&first)?).await?, ErrorReason::InvalidRefreshToken)?;
    expect_kicked(&mut session, CloseCode::Revoked).await?;
    expect_refused(&http.refresh(&token_of(&third)?).await?, ErrorReason::InvalidRefreshToken)?;
    for token in [&first.access_token, &third.access_token] {
        let answer = http.get_as(token, "/api/users/me").await?;
        expect_refused(&answer, ErrorReason::LoginRevoked)?;
    }
    // The password still opens the door.
    http.login("ann", PASSWORD).await?.data::<LoggedIn>()?;
    Ok(())
}

#[tokio::test]
async fn no_token_is_good_for_what_another_is_for() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let ann = http.new_user("ann").await?;
    let refresh_token = token_of(&ann)?;
    let answer = http.get_as(&refresh_token, "/api/users/me").await?;
    expect_refused(&answer, ErrorReason::InvalidToken)?;
    let upgrade = Connect::to(server.gateway_address()).query("token", &refresh_token);
    expect_refused(&upgrade.refused().await?, ErrorReason::InvalidToken)?;
    let mut made_up = refresh_token.clone();
    made_up.replace_range(20..24, "AAAA");
    for wrong in [ann.access_token.as_str(), "", "petrel_rt_", "petrel_rt_AAAA", &made_up] {
        expect_refused(&http.refresh(wrong).await?, ErrorReason::InvalidRefreshToken)?;
    }
    let nothing = http.post("/api/auth/refresh", "{}").await?;
    expect_refused(&nothing, ErrorReason::MissingToken)?;
    // None of that did the log-in any harm.
    http.refresh(&refresh_token).await?.data::<LoggedIn>()?;
    Ok(())
}

#[tokio::test]
async fn a_device_is_revoked_wherever_it_is() -> Result<()> {
    let launcher = launcher()?;
    let server = launcher.start().await?;
    let http = server.http();
    http.new_user("ann").await?;
    let stolen: LoggedIn = login_on(&http, "phone").await?.data()?;
    let laptop: LoggedIn = login_on(&http, "laptop").await?.data()?;
    let eve = http.new_user("eve").await?;
    let mut on_phone = connect(&server, &stolen.access_token).await?;
    let mut on_laptop = connect(&server, &laptop.access_token).await?;

    let devices: Devices = http.get_as(&laptop.access_token, "/api/devices").await?.data()?;
    let listed: Vec<_> = devices
        .devices
        .iter()
        .map(|device| (device.login_id, device.device_id.as_deref(), device.current))
        .collect();
    let registered = devices.devices[2].login_id;
    assert_eq!(
        listed,
        [
            (laptop.login_id, Some("laptop"), true),
            (stolen.login_id, Some("phone"), false),
            (registered, None, false),
        ]
    );
    assert_eq!(devices.devices[0].platform.as_deref(), Some("test"));
    let page = format!("/api/devices?limit=1&before={}", laptop.login_id);
    let page: Devices = http.get_as(&laptop.access_token, &page).await?.data()?;
    assert_eq!((page.devices[0].login_id, page.more), (stolen.login_id, true));

    let path = format!("/api/devices/{}", stolen.login_id);
    let by_eve = http.delete_as(&eve.access_token, &path).await?;
    expect_refused(&by_eve, ErrorReason::DeviceNotFound)?;
    on_phone.expect_silence().await?;
    http.delete_as(&laptop.access_token, &path).await?.json()?;
    expect_kicked(&mut on_phone, CloseCode::Revoked).await?;
    on_laptop.expect_silence().await?;
    expect_nothing_opens(&server, &stolen).await?;
    let again = http.delete_as(&laptop.access_token, &path).await?;
    expect_refused(&again, ErrorReason::DeviceNotFound)?;

    // Nor after a crash.
    server.kill().await?;
    let server = launcher.start().await?;
    expect_nothing_opens(&server, &stolen).await?;
    connect(&server, &laptop.access_token).await?;
    let exit = server.stop(Signal::Terminate).await?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    expect_sound(launcher.data()).await
}

#[tokio::test]
async fn logging_out_ends_the_log_in_and_revoking_others_spares_it() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let first = http.new_user("ann").await?;
    let second: LoggedIn = login_on(&http, "phone").await?.data()?;
    let third: LoggedIn = login_on(&http, "laptop").await?.data()?;
    let mut session = connect(&server, &first.access_token).await?;
    http.post_as(&first.access_token, "/api/auth/logout", "{}").await?.json()?;
    expect_kicked(&mut session, CloseCode::Revoked).await?;
    expect_nothing_opens(&server, &first).await?;

    let mut others = connect(&server, &second.access_token).await?;
    let mut own = connect(&server, &third.access_token).await?;
    let path = "/api/devices/revoke-others";
    let revoked: Revoked = http.post_as(&third.access_token, path, "").await?.data()?;
    assert_eq!(revoked.revoked, 1);
    expect_kicked(&mut others, CloseCode::Revoked).await?;
    own.expect_silence().await?;

    let body = json!({ "refreshToken": token_of(&third)? }).to_string();
    let answer = http.post("/api/auth/logout", &body).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    expect_kicked(&mut own, CloseCode::Revoked).await?;
    expect_refused(&http.post("/api/auth/logout", "{}").await?, ErrorReason::MissingToken)
}

#[tokio::test]
async fn a_browser_keeps_the_refresh_token_where_no_script_can_read_it() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    http.new_user("ann").await?;
    let own = format!("http://{}", server.http_address());
    let body = json!({"username": "ann", "password": PASSWORD, "cookie": true}).to_string();
    let post = |path: &'static str, body: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let all: Vec<_> =
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (http, body) = (http.clone(), body.to_owned());
        async move {
            let all: Vec<_> =
                all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            http.request("POST", path, &all, &body).await
        }
    };
    let evil = ("origin", "https://evil.example");
    let answer = post("/api/auth/login", &body, &[evil]).await?;
    expect_refused(&answer, ErrorReason::ForbiddenOrigin)?;

    let answer = post("/api/auth/login", &body, &[("origin", &own)]).await?;
    let logged_in: LoggedIn = answer.data()?;
    assert_eq!(logged_in.refresh_token, None);
    let cookie = cookie_of(&answer)?;
    let answer = post("/api/auth/refresh", "{}", &[("origin", &own), ("cookie", &cookie)]).await?;
    let refreshed: LoggedIn = answer.data()?;
    assert_eq!((refreshed.refresh_token, refreshed.login_id), (None, logged_in.login_id));
    let next = cookie_of(&answer)?;
    assert_ne!(next, cookie);
    let answer = post("/api/auth/refresh", "{}", &[evil, ("cookie", &next)]).await?;
    expect_refused(&answer, ErrorReason::ForbiddenOrigin)?;

    let answer = post("/api/auth/logout", "{}", &[("origin", &own), ("cookie", &next)]).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let taken_away = answer.header("set-cookie").context("no cookie")?;
    assert!(taken_away.starts_with("petrel_refresh=; Max-Age=0; Path=/api/auth"), "{taken_away}");
    let answer = post("/api/auth/refresh", "{}", &[("cookie", &next)]).await?;
    expect_refused(&answer, ErrorReason::InvalidRefreshToken)
}

#[tokio::test]
async fn who_guesses_passwords_waits_and_locks_nobody_out() -> Result<()> {
    let server =
        launcher()?.argument("--set").argument("http.trusted_proxies=127.0.0.1").start().await?;
    let http = server.http();
    http.new_user("ann").await?;
    let from = |address: &'static str, password: &str| {
        let body = json!({"username": "ann", "password": password}).to_string();
        let http = http.clone();
        async move {
            let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
            http.request("POST", "/api/auth/login", &headers, &body).await
        }
    };
    for _ in 0..6 {
        expect_refused(&from("192.0.2.66", "wrong").await?, ErrorReason::BadCredentials)?;
    }
    // On a slow machine the first waits may be over before the next try.
    let mut answer = from("192.0.2.66", "wrong").await?;
    for _ in 0..6 {
        if answer.failure()?.reason == ErrorReason::TooManyRequests {
            break;
        }
        answer = from("192.0.2.66", "wrong").await?;
    }
    expect_refused(&answer, ErrorReason::TooManyRequests)?;
    let retry_after_ms = answer.failure()?.retry_after_ms.context("no retryAfterMs")?;
    let seconds = retry_after_ms.div_ceil(1000).to_string();
    assert_eq!(answer.header("retry-after"), Some(seconds.as_str()));
    // Its owner, at home.
    from("192.0.2.1", PASSWORD).await?.data::<LoggedIn>()?;
    Ok(())
}

#[tokio::test]
async fn loopback_is_not_slowed_down_and_a_forged_address_is_not_believed() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    http.new_user("ann").await?;
    for _ in 0..9 {
        expect_refused(&http.login("ann", "wrong horse").await?, ErrorReason::BadCredentials)?;
    }
    drop(server);

    let server =
        launcher()?.argument("--set").argument("identity.throttle_loopback=true").start().await?;
    let http = server.http();
    http.new_user("ann").await?;
    let mut reasons = Vec::new();
    for number in 0..14 {
        let address = format!("192.0.2.{number}");
        let headers = [("content-type", "application/json"), ("x-forwarded-for", &address)];
        let body = json!({"username": "ann", "password": "wrong"}).to_string();
        let answer = http.request("POST", "/api/auth/login", &headers, &body).await?;
        reasons.push(answer.failure()?.reason);
    }
    assert_eq!(reasons[5], ErrorReason::BadCredentials);
    assert!(reasons.contains(&ErrorReason::TooManyRequests), "{reasons:?}");
    Ok(())
}

#[tokio::test]
async fn an_address_that_registers_many_users_has_to_wait() -> Result<()> {
    let server = launcher()?
        .argument("--set")
        .argument("identity.throttle_loopback=true")
        .argument("--set")
        .argument("identity.free_registrations_per_address=2")
        .start()
        .await?;
    let http = server.http();
    // One that is refused for its form costs nothing.
    expect_refused(&http.register("ann", "short").await?, ErrorReason::WeakPassword)?;
    for name in ["ann", "ben", "cay"] {
        http.new_user(name).await?;
    }
    // The wait begins with a second, which may be over by now; it doubles each time.
    let mut refused = None;
    for number in 0..8 {
        let answer = http.register(&format!("dan{number}"), PASSWORD).await?;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.context("nobody had to wait")?;
    expect_refused(&refused, ErrorReason::TooManyRequests)?;
    assert!(refused.failure()?.retry_after_ms.is_some_and(|wait| wait > 0), "{refused:?}");
    // Those who are there come in as ever.
    http.login("ann", PASSWORD).await?.data::<LoggedIn>()?;
    Ok(())
}

#[tokio::test]
async fn an_admin_invites_by_http_and_nobody_else_does() -> Result<()> {
    let launcher = launcher()?.argument("--registration").argument("invite");
    let data = launcher.data().to_owned();
    for line in ["create-user --admin ada", "create-user ben"] {
        let made = petrel_admin(&data, line, PASSWORD).await?;
        assert_eq!(made.code, Some(0), "{made:?}");
    }
    let server = launcher.start().await?;
    let http = server.http();
    let token = async |name: &str| {
        let logged_in: LoggedIn = http.login(name, PASSWORD).await?.data()?;
        anyhow::Ok(logged_in.access_token)
    };
    let (ada, ben) = (token("ada").await?, token("ben").await?);
    let answer = http.post_as(&ben, "/api/invites", "{}").await?;
    expect_refused(&answer, ErrorReason::NotAllowed)?;
    for wrong in [r#"{"uses": 0}"#, r#"{"days": 367}"#, r#"{"uses": "many"}"#] {
        let answer = http.post_as(&ada, "/api/invites", wrong).await?;
        expect_refused(&answer, ErrorReason::InvalidField)?;
    }
    let invite: Invite = http.post_as(&ada, "/api/invites", r#"{"uses": 2}"#).await?.data()?;
    for (name, is_let_in) in [("cay", true), ("dan", true), ("eve", false)] {
        let body = json!({"username": name, "password": PASSWORD, "invite": invite.code});
        let answer = http.post("/api/auth/register", &body.to_string()).await?;
        assert_eq!(answer.status == 200, is_let_in, "{name}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_operator_makes_invites_users_and_admins() -> Result<()> {
    let launcher = launcher()?.argument("--registration").argument("invite");
    let data = launcher.data().to_owned();
    let created = petrel_admin(&data, "create-user --admin ada", "a long password\n").await?;
    assert_eq!(created.stdout, "ada is an admin with the id 10000000001.\n", "{created:?}");
    let weak = petrel_admin(&data, "create-user ben", "short\n").await?;
    assert_eq!(weak.code, Some(3));
    assert!(weak.stderr.contains("a password has 8 to 128 characters"), "{}", weak.stderr);
    let taken = petrel_admin(&data, "create-user ADA", "a long password\n").await?;
    assert!(taken.stderr.contains("is taken"), "{}", taken.stderr);
    let code = petrel_admin(&data, "invite --uses 2", "").await?.stdout.trim().to_owned();

    let server = launcher.start().await?;
    let http = server.http();
    // A server at work makes them itself.
    let another = petrel_admin(&data, "invite", "").await?;
    assert_eq!((another.code, another.stdout.trim().len()), (Some(0), 23), "{another:?}");
    let ada: LoggedIn = http.login("ada", "a long password").await?.data()?;
    let me: Profile = http.get_as(&ada.access_token, "/api/users/me").await?.data()?;
    assert!(me.admin);

    let register = |name: &str, invite: Option<&str>| {
        let body = json!({"username": name, "password": PASSWORD, "invite": invite}).to_string();
        let http = http.clone();
        async move { http.post("/api/auth/register", &body).await }
    };
    for wrong in [None, Some("AAAAA-AAAAA-AAAAA-AAAAA")] {
        expect_refused(&register("ben", wrong).await?, ErrorReason::InvalidInvite)?;
    }
    let ben: LoggedIn = register("ben", Some(&code)).await?.data()?;
    // A name that is taken costs no use.
    expect_refused(&register("ben", Some(&code)).await?, ErrorReason::UsernameTaken)?;
    register("cleo", Some(&code.to_lowercase())).await?.data::<LoggedIn>()?;
    expect_refused(&register("dora", Some(&code)).await?, ErrorReason::InvalidInvite)?;
    let me: Profile = http.get_as(&ben.access_token, "/api/users/me").await?.data()?;
    assert!(!me.admin);

    server.stop(Signal::Terminate).await?;
    let nobody = petrel_admin(&data, "grant-admin dora", "").await?;
    assert!(nobody.stderr.contains("nobody has the user name"), "{}", nobody.stderr);
    let granted = petrel_admin(&data, "grant-admin ben", "").await?;
    assert_eq!(granted.code, Some(0), "{}", granted.stderr);
    let server = launcher.start().await?;
    let me: Profile = server.http().get_as(&ben.access_token, "/api/users/me").await?.data()?;
    assert!(me.admin);
    server.stop(Signal::Terminate).await?;
    expect_sound(&data).await
}

async fn expect_sound(data: &Path) -> Result<()> {
    let data = data.to_str().context("a path in UTF-8")?;
    let exit = run(PETREL, &["verify", "--data-dir", data]).await?;
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
    Ok(())
}

async fn login_on(http: &Http, device: &str) -> Result<Answer> {
    let body = json!({
        "username": "ann", "password": PASSWORD, "deviceId": device, "platform": "test",
    });
    http.post("/api/auth/login", &body.to_string()).await
}

fn token_of(logged_in: &LoggedIn) -> Result<String> {
    logged_in.refresh_token.clone().context("no refresh token")
}

/// The cookie as a browser sends it back.
fn cookie_of(answer: &Answer) -> Result<String> {
    let set = answer.header("set-cookie").context("no cookie")?;
    let (cookie, attributes) = set.split_once("; ").context("a bare cookie")?;
    let expected = "Max-Age=2592000; Path=/api/auth; HttpOnly; SameSite=Strict";
    assert_eq!(attributes, expected);
    Ok(cookie.to_owned())
}

async fn connect(server: &Server, token: &str) -> Result<Client> {
    Connect::to(server.gateway_address()).authenticate(token).await
}

async fn expect_nothing_opens(server: &Server, login: &LoggedIn) -> Result<()> {
    let http = server.http();
    let token = &login.access_token;
    let answer = http.get_as(token, "/api/users/me").await?;
    expect_refused(&answer, ErrorReason::LoginRevoked)?;
    let upgrade = Connect::to(server.gateway_address()).query("token", token);
    expect_refused(&upgrade.refused().await?, ErrorReason::LoginRevoked)?;
    expect_refused(&http.refresh(&token_of(login)?).await?, ErrorReason::InvalidRefreshToken)
}

fn expect_refused(answer: &Answer, reason: ErrorReason) -> Result<()> {
    assert_eq!(answer.failure()?.reason, reason, "{answer:?}");
    Ok(())
}

pub(crate) async fn expect_kicked(client: &mut Client, code: CloseCode) -> Result<()> {
    match client.next_frame().await? {
        ServerFrame::Kick(kick) => assert_eq!(kick.reason, code.as_str(), "{kick:?}"),
        other => panic!("expected KICK, got {other:?}"),
    }
    client.expect_closed_with(code).await?;
    Ok(())
}
