//! Limits that admins change while the server runs: in force at once, for those who are
//! there as well, and over a restart.

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_protocol::http::LoggedIn;
use petrel_protocol::http::admin::{
    AdminLimits, AuditAction, AuditLog, Changed, LimitName, RegistrationMode,
};
use petrel_testkit::client::{Client, Connect, chat};
use petrel_testkit::http::{Answer, Http};
use petrel_testkit::server::{Launcher, Server};
use serde_json::{Value, json};

use crate::support::{
    PASSWORD, ask_as, connections_become, launcher, petrel_admin, start_with_admin,
};

struct World {
    launcher: Launcher,
    server: Server,
    http: Http,
    ada: LoggedIn,
}

impl World {
    async fn new() -> Result<Self> {
        let launcher = launcher()?;
        let (server, ada) = start_with_admin(&launcher).await?;
        let http = server.http();
        Ok(Self { launcher, server, http, ada })
    }

    async fn restarted(self) -> Result<Self> {
        let Self { launcher, server, ada, .. } = self;
        server.kill().await?;
        let server = launcher.start().await?;
        Ok(Self { http: server.http(), launcher, server, ada })
    }

    async fn ask(&self, method: &str, body: Value) -> Result<Answer> {
        ask_as(&self.http, &self.ada.access_token, method, "/api/admin/limits", body).await
    }

    async fn change(&self, body: Value) -> Result<AdminLimits> {
        self.ask("PATCH", body).await?.data()
    }

    async fn limits(&self) -> Result<AdminLimits> {
        self.ask("GET", Value::Null).await?.data()
    }

    async fn connect(&self, who: &LoggedIn) -> Result<Client> {
        Connect::to(self.server.gateway_address()).authenticate(&who.access_token).await
    }
}

fn value(limits: &AdminLimits, name: LimitName) -> Result<(u64, Option<Changed>)> {
    let limit = limits.limits.iter().find(|limit| limit.name == name).context("the limit")?;
    Ok((limit.value, limit.changed))
}

/// What a session is told of its rates, passing over what else comes.
async fn limits_told(session: &mut Client) -> Result<Value> {
    loop {
        let mut frame = session.next_json().await?;
        if frame["type"] == "LIMITS" {
            return Ok(frame["rates"].take());
        }
    }
}

#[tokio::test]
async fn a_session_that_is_open_is_slowed_down_and_let_go_again_at_once() -> Result<()> {
    let world = World::new().await?;
    let (ben, cay) = (world.http.new_user("ben").await?, world.http.new_user("cay").await?);
    let mut session = world.connect(&ben).await?;
    session.chat(cay.user_id, "m0", "fast").await?;
    session.expect_saved().await?;
    let slow = json!({"limits": {"sessionSendsPerSecond": 1, "sessionSendsBurst": 1}});
    let told = world.change(slow.clone()).await?;
    let kept = Some(Changed::Kept);
    assert_eq!(value(&told, LimitName::SessionSendsPerSecond)?, (1, kept));
    assert_eq!(value(&told, LimitName::SessionReadsPerSecond)?.1, None);
    let told = limits_told(&mut session).await?;
    assert_eq!((told["sendsPerSecond"].clone(), told["sendsBurst"].clone()), (json!(1), json!(1)));
    assert_eq!(told["readsPerSecond"], 500, "all of them are told: {told}");
    let again = world.ask("PATCH", slow).await?;
    assert_eq!(again.failure()?.reason, ErrorReason::NothingToChange);

    // In one write, so that the second has come before the first is stored.
    session.send_all(["m1", "m2"].map(|name| chat(cay.user_id, name, "too fast"))).await?;
    session.expect_error(ErrorReason::TooManyRequests).await?;
    for name in ["m1", "m2"] {
        assert_eq!(session.expect_saved().await?.client_msg_id.as_str(), name);
    }
    // Who comes now is told of it beforehand.
    let newcomer = world.connect(&cay).await?;
    let rates = &newcomer.auth_ok().context("AUTH_OK")?.limits.rates;
    assert_eq!((rates.sends_per_second, rates.sends_burst), (1, 1));

    let back = json!({"limits": {"sessionSendsPerSecond": null, "sessionSendsBurst": null}});
    let told = world.change(back).await?;
    assert_eq!(value(&told, LimitName::SessionSendsPerSecond)?, (20_000, None));
    assert_eq!(limits_told(&mut session).await?["sendsPerSecond"], 20_000);
    let log: AuditLog = {
        let path = "/api/admin/audit?action=limitsChanged";
        world.http.get_as(&world.ada.access_token, path).await?.data()?
    };
    let details: Vec<_> = log.records.iter().rev().map(|it| it.detail.as_str()).collect();
    let expected = [
        "sessionSendsPerSecond: 20000 → 1; sessionSendsBurst: 40000 → 1; kept",
        "sessionSendsPerSecond: 1 → 20000; sessionSendsBurst: 1 → 40000; kept",
    ];
    assert_eq!(details, expected);
    assert!(log.records.iter().all(|it| it.actor == Some(world.ada.user_id)));
    assert!(log.records.iter().all(|it| it.action == AuditAction::LimitsChanged));
    // What is no rate of sessions is told to nobody.
    world.change(json!({"limits": {"connectionsMax": 77}})).await?;
    session.expect_silence().await?;
    // The first was told to one session, the second to two, and neither is a notice.
    let metrics = Http::new(world.server.admin_address()).get("/metrics").await?.body;
    for (name, expected) in [("limit_changes", 3), ("notices", 0)] {
        let line = format!("petrel_gateway_{name}_total {expected}\n");
        assert!(metrics.contains(&line), "no {line} in:\n{metrics}");
    }
    Ok(())
}

#[tokio::test]
async fn registration_and_connections_are_closed_and_opened() -> Result<()> {
    let world = World::new().await?;
    let told = world.change(json!({"registration": "closed", "limits": {"connectionsMax": 1}}));
    let told = told.await?;
    assert_eq!(told.registration.value, RegistrationMode::Closed);
    assert_eq!(told.registration.configured, RegistrationMode::Open);
    let register = async |name: &str| world.http.register(name, PASSWORD).await;
    assert_eq!(register("ben").await?.failure()?.reason, ErrorReason::RegistrationClosed);
    let invite = json!({"registration": "invite"});
    world.change(invite).await?;
    assert_eq!(register("ben").await?.failure()?.reason, ErrorReason::InvalidInvite);

    let first = world.connect(&world.ada).await?;
    let beyond = Connect::to(world.server.gateway_address()).refused().await?;
    assert_eq!(beyond.failure()?.reason, ErrorReason::ServerBusy);
    // By the command line, on the server that runs.
    let told = petrel_admin(world.launcher.data(), "limits set connectionsMax=2", "").await?;
    assert!(told.stdout.contains("connectionsMax                2  (configured: "), "{told:?}");
    let second = world.connect(&world.ada).await?;
    let reset = "limits reset connectionsMax registration";
    let told = petrel_admin(world.launcher.data(), reset, "").await?;
    assert!(told.stdout.starts_with("registration                  open\n"), "{told:?}");
    register("ben").await?.data::<LoggedIn>()?;
    let metrics = Http::new(world.server.admin_address()).get("/metrics").await?.body;
    assert!(metrics.contains("petrel_limits_value{limit=\"registration\"} 2\n"), "{metrics}");
    // Nobody's connection was closed by any of it.
    connections_become(&world.server.gateway_http(), 2).await?;
    drop((first, second));
    Ok(())
}

#[tokio::test]
async fn what_is_kept_outlives_a_crash_and_the_rest_does_not() -> Result<()> {
    let world = World::new().await?;
    world.change(json!({"registration": "closed", "limits": {"connectionsMax": 77}})).await?;
    let brief = json!({"limits": {"floodPatienceMs": 5}, "untilRestart": true});
    let told = world.change(brief).await?;
    let until_restart = Some(Changed::UntilRestart);
    assert_eq!(value(&told, LimitName::FloodPatienceMs)?, (5, until_restart));
    assert_eq!(value(&told, LimitName::ConnectionsMax)?, (77, Some(Changed::Kept)));

    let world = world.restarted().await?;
    let limits = world.limits().await?;
    assert_eq!(limits.registration.value, RegistrationMode::Closed);
    assert_eq!(value(&limits, LimitName::ConnectionsMax)?, (77, Some(Changed::Kept)));
    assert_eq!(value(&limits, LimitName::FloodPatienceMs)?, (300_000, None));
    let refused = world.http.register("ben", PASSWORD).await?;
    assert_eq!(refused.failure()?.reason, ErrorReason::RegistrationClosed);
    // What is said to hold until the next restart is not kept from before.
    world.change(json!({"registration": "invite", "untilRestart": true})).await?;
    let world = world.restarted().await?;
    assert_eq!(world.limits().await?.registration.value, RegistrationMode::Open);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_is_refused_as_a_whole_and_nobody_else_may_ask() -> Result<()> {
    let world = World::new().await?;
    let before = world.limits().await?;
    let wrong = [
        json!({}),
        json!({"untilRestart": true}),
        json!({"limits": {"connectionsMax": 0}}),
        json!({"limits": {"connectionsMax": 5, "sessionSendsBurst": 0}}),
        json!({"limits": {"connectionsMax": 1.5}}),
        json!({"limits": {"noSuchLimit": 5}}),
        json!({"registration": "ajar", "limits": {"connectionsMax": 5}}),
    ];
    for body in wrong {
        let refused = world.ask("PATCH", body.clone()).await?.failure()?;
        assert_eq!(refused.reason, ErrorReason::InvalidField, "{body}");
    }
    let named = world.ask("PATCH", json!({"limits": {"noSuchLimit": 5}})).await?.failure()?;
    assert!(named.message.contains("connectionsMax"), "{named:?}");
    let told = petrel_admin(world.launcher.data(), "limits set connectionsMax=many", "").await?;
    assert!(told.stderr.contains("\"many\" is no number"), "{told:?}");
    let ben = world.http.new_user("ben").await?;
    for (method, body) in [("GET", Value::Null), ("PATCH", json!({"registration": "closed"}))] {
        let path = "/api/admin/limits";
        let answer = ask_as(&world.http, &ben.access_token, method, path, body).await?;
        assert_eq!(answer.failure()?.reason, ErrorReason::NotFound, "{method}");
    }
    assert_eq!(world.limits().await?, before);

    // A stopped server has none.
    let World { launcher, server, .. } = world;
    server.kill().await?;
    let told = petrel_admin(launcher.data(), "limits list", "").await?;
    assert!(told.stderr.contains("takes a running server"), "{told:?}");
    Ok(())
}
