//! What admins of the system do to users, what is written down of it, and what nobody else
//! gets.

use std::path::Path;

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::ServerFrame;
use petrel_protocol::http::admin::{
    AdminUserShown, AdminUsers, AuditAction, AuditLog, LoginsEnded, PasswordReset,
};
use petrel_protocol::http::{LoggedIn, Profile, Revoked};
use petrel_testkit::client::{Client, Connect};
use petrel_testkit::http::{Answer, Http};
use petrel_testkit::server::{Exit, Launcher, Server, Signal, run};
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::support::{PASSWORD, PETREL, ask_as, launcher, petrel_admin, start_with_admin};

/// A server with the admin ada and the users ben and cay, who have logged in.
struct World {
    server: Server,
    http: Http,
    ada: LoggedIn,
    ben: LoggedIn,
    cay: LoggedIn,
}

impl World {
    async fn new() -> Result<Self> {
        Self::on(&launcher()?).await
    }

    async fn on(launcher: &Launcher) -> Result<Self> {
        let (server, ada) = start_with_admin(launcher).await?;
        let http = server.http();
        let (ben, cay) = (http.new_user("ben").await?, http.new_user("cay").await?);
        Ok(Self { server, http, ada, ben, cay })
    }

    /// Asks as the admin.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Answer> {
        ask_as(&self.http, &self.ada.access_token, method, path, body).await
    }

    async fn change(&self, user: UserId, what: &str, body: Value) -> Result<Answer> {
        self.ask("POST", &format!("/api/admin/users/{user}/{what}"), body).await
    }

    async fn connect(&self, who: &LoggedIn) -> Result<Client> {
        Connect::to(self.server.gateway_address()).authenticate(&who.access_token).await
    }
}

fn expect_refused(answer: &Answer, reason: ErrorReason) -> Result<()> {
    assert_eq!(answer.failure()?.reason, reason, "{answer:?}");
    Ok(())
}

fn refresh_token(who: &LoggedIn) -> Result<&str> {
    who.refresh_token.as_deref().context("a refresh token")
}

async fn expect_locked_out(session: &mut Client) -> Result<()> {
    match session.next_frame().await? {
        ServerFrame::Kick(kick) => assert_eq!(kick.reason, "account_disabled", "{kick:?}"),
        other => panic!("expected KICK, got {other:?}"),
    }
    session.expect_closed_with(CloseCode::Revoked).await?;
    Ok(())
}

#[tokio::test]
async fn a_disabled_user_is_out_everywhere_at_once_and_misses_nothing() -> Result<()> {
    let world = World::new().await?;
    let (http, ben) = (&world.http, &world.ben);
    let second: LoggedIn = http.login("ben", PASSWORD).await?.data()?;
    let mut sessions = [world.connect(ben).await?, world.connect(&second).await?];
    let mut cay = world.connect(&world.cay).await?;

    let answer = world.change(ben.user_id, "disable", json!({"reason": "spam"})).await?;
    assert_eq!(answer.data::<LoginsEnded>()?.logins_ended, 2);
    for session in &mut sessions {
        expect_locked_out(session).await?;
    }
    let disabled = ErrorReason::AccountDisabled;
    expect_refused(&http.get_as(&ben.access_token, "/api/users/me").await?, disabled)?;
    expect_refused(&http.refresh(refresh_token(ben)?).await?, disabled)?;
    expect_refused(&http.login("ben", PASSWORD).await?, disabled)?;
    // Who does not know the password learns nothing of it.
    let guessed = http.login("ben", "wrong horse").await?;
    expect_refused(&guessed, ErrorReason::BadCredentials)?;
    let mut stranger = Connect::to(world.server.gateway_address()).open().await?;
    stranger.send(&Connect::to(world.server.gateway_address()).auth(&ben.access_token)).await?;
    match stranger.next_frame().await? {
        ServerFrame::AuthFail(fail) => assert_eq!(fail.reason, disabled, "{fail:?}"),
        other => panic!("expected AUTH_FAIL, got {other:?}"),
    }

    // What others send is stored as ever.
    cay.chat(ben.user_id, "m1", "while you are away").await?;
    let saved = cay.expect_saved().await?;
    let again = world.change(ben.user_id, "disable", json!({})).await?;
    expect_refused(&again, ErrorReason::NothingToChange)?;

    assert_eq!(world.change(ben.user_id, "enable", Value::Null).await?.status, 200);
    let old = http.refresh(refresh_token(ben)?).await?;
    expect_refused(&old, ErrorReason::InvalidRefreshToken)?;
    expect_refused(
        &http.get_as(&ben.access_token, "/api/users/me").await?,
        ErrorReason::LoginRevoked,
    )?;
    let ben: LoggedIn = http.login("ben", PASSWORD).await?.data()?;
    let mut back = world.connect(&ben).await?;
    let timeline = back.pull_all(saved.conversation_id).await?;
    assert!(format!("{timeline:?}").contains("while you are away"));
    Ok(())
}

#[tokio::test]
async fn who_is_disabled_stays_so_over_a_restart() -> Result<()> {
    let launcher = launcher()?;
    let server = launcher.start().await?;
    let ben = server.http().new_user("ben").await?;
    // A running server does it at once.
    let told = petrel_admin(launcher.data(), "users disable ben --reason spam", "").await?;
    assert_eq!(told.stdout, "ben is locked out; 1 log-in ended.\n", "{told:?}");
    let refused = server.http().get_as(&ben.access_token, "/api/users/me").await?;
    expect_refused(&refused, ErrorReason::AccountDisabled)?;
    server.kill().await?;

    let server = launcher.start().await?;
    let refused = server.http().get_as(&ben.access_token, "/api/users/me").await?;
    expect_refused(&refused, ErrorReason::AccountDisabled)?;
    expect_refused(
        &server.http().login("ben", "correct horse").await?,
        ErrorReason::AccountDisabled,
    )?;
    server.stop(Signal::Terminate).await?;

    // A stopped one learns of it at the next start.
    let shown = petrel_admin(launcher.data(), "users show ben", "").await?.stdout;
    assert!(shown.contains("locked out") && shown.contains("spam"), "{shown}");
    let told = petrel_admin(launcher.data(), "users enable ben", "").await?;
    assert_eq!(told.stdout, "ben may log in again.\n", "{told:?}");
    let verified = run(PETREL, &["verify", "--data-dir", utf8(launcher.data())?]).await?;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let server = launcher.start().await?;
    server.http().login("ben", PASSWORD).await?.data::<LoggedIn>()?;
    let refused = server.http().get_as(&ben.access_token, "/api/users/me").await?;
    expect_refused(&refused, ErrorReason::LoginRevoked)?;

    let audit = petrel_admin(launcher.data(), "audit", "").await?.stdout;
    let order = ["userEnabled", "userDisabled"].map(|action| audit.find(action));
    assert!(order[0].is_some() && order[0] < order[1], "{audit}");
    assert!(audit.contains("local:") && audit.contains("spam"), "{audit}");
    Ok(())
}

#[tokio::test]
async fn a_password_is_reset_by_an_admin_and_chosen_by_its_owner() -> Result<()> {
    let world = World::new().await?;
    let (http, ben) = (&world.http, &world.ben);
    let mut session = world.connect(ben).await?;
    let answer = world.change(ben.user_id, "reset-password", Value::Null).await?;
    let reset: PasswordReset = answer.data()?;
    assert_eq!((reset.username.as_str(), reset.logins_ended), ("ben", 1));
    match session.next_frame().await? {
        ServerFrame::Kick(kick) => assert_eq!(kick.reason, "revoked", "{kick:?}"),
        other => panic!("expected KICK, got {other:?}"),
    }
    expect_refused(&http.login("ben", PASSWORD).await?, ErrorReason::BadCredentials)?;
    expect_refused(&http.login("ben", "").await?, ErrorReason::BadCredentials)?;

    let redeem = |username: &str, code: &str, password: &str| {
        let body = json!({"username": username, "code": code, "password": password}).to_string();
        async move { http.post("/api/auth/reset", &body).await }
    };
    let wrong = redeem("ben", "AAAAA-AAAAA-AAAAA-AAAAA", "another horse").await?;
    expect_refused(&wrong, ErrorReason::InvalidResetCode)?;
    let of_another = redeem("cay", &reset.code, "another horse").await?;
    expect_refused(&of_another, ErrorReason::InvalidResetCode)?;
    let nobody = redeem("dan", &reset.code, "another horse").await?;
    assert_eq!(nobody.failure()?.message, of_another.failure()?.message);
    expect_refused(&redeem("ben", &reset.code, "short").await?, ErrorReason::WeakPassword)?;
    let back: LoggedIn =
        redeem("ben", &reset.code.to_lowercase(), "another horse").await?.data()?;
    assert_eq!(back.user_id, ben.user_id);
    let twice = redeem("ben", &reset.code, "a third horse").await?;
    expect_refused(&twice, ErrorReason::InvalidResetCode)?;
    http.login("ben", "another horse").await?.data::<LoggedIn>()?;

    // Who knows the password chooses another alone, and ends the other log-ins by it.
    let change = |password: &str, new: &str| {
        let body = json!({"password": password, "newPassword": new});
        ask_as(http, &back.access_token, "PUT", "/api/users/me/password", body)
    };
    expect_refused(&change("wrong horse", "a third horse").await?, ErrorReason::BadCredentials)?;
    assert_eq!(change("another horse", "a third horse").await?.data::<Revoked>()?.revoked, 1);
    http.get_as(&back.access_token, "/api/users/me").await?.data::<Profile>()?;
    expect_refused(&http.login("ben", "another horse").await?, ErrorReason::BadCredentials)?;

    let log: AuditLog = world.ask("GET", "/api/admin/audit?limit=2", Value::Null).await?.data()?;
    let told: Vec<_> = log.records.iter().map(|it| (it.action, it.actor, it.user)).collect();
    let redeemed = (AuditAction::PasswordRedeemed, Some(ben.user_id), Some(ben.user_id));
    let was_reset = (AuditAction::PasswordReset, Some(world.ada.user_id), Some(ben.user_id));
    assert_eq!(told, [redeemed, was_reset]);
    Ok(())
}

#[tokio::test]
async fn an_admin_is_made_and_unmade_but_never_the_last_one() -> Result<()> {
    let world = World::new().await?;
    let set = async |user: UserId, admin: bool| {
        let path = format!("/api/admin/users/{user}/admin");
        world.ask("PUT", &path, json!({ "admin": admin })).await
    };
    let (ada, ben) = (world.ada.user_id, world.ben.user_id);
    expect_refused(&set(ada, false).await?, ErrorReason::LastAdmin)?;
    let own = world.change(ada, "disable", json!({})).await?;
    expect_refused(&own, ErrorReason::NotAllowed)?;
    let offline = petrel_admin(world.server.data(), "users disable ada", "").await?;
    assert!(offline.stderr.contains("no admin who can act would be left"), "{offline:?}");
    expect_refused(&set(UserId::new(77), true).await?, ErrorReason::UserNotFound)?;
    assert_eq!(set(ben, true).await?.status, 200);
    expect_refused(&set(ben, true).await?, ErrorReason::NothingToChange)?;
    // An admin who is unmade has nothing from that moment on.
    assert_eq!(set(ada, false).await?.status, 200);
    expect_refused(&set(ada, true).await?, ErrorReason::NotFound)?;
    let path = "/api/admin/users?admin=true";
    let answer = ask_as(&world.http, &world.ben.access_token, "GET", path, Value::Null).await?;
    let admins: AdminUsers = answer.data()?;
    assert_eq!(admins.users.iter().map(|user| user.user_id).collect::<Vec<_>>(), [ben]);
    Ok(())
}

#[tokio::test]
async fn users_are_listed_searched_and_shown_in_pages() -> Result<()> {
    let world = World::new().await?;
    let list = async |query: &str| {
        let answer = world.ask("GET", &format!("/api/admin/users{query}"), Value::Null).await?;
        let users: AdminUsers = answer.data()?;
        let names = users.users.into_iter().filter_map(|user| user.username).collect::<Vec<_>>();
        anyhow::Ok((names, users.next))
    };
    assert_eq!(list("").await?, (["ada", "ben", "cay"].map(str::to_owned).to_vec(), None));
    let (first, next) = list("?limit=2").await?;
    assert_eq!(first, ["ada", "ben"]);
    let rest = list(&format!("?limit=2&after={}", next.context("more")?)).await?;
    assert_eq!(rest, (vec!["cay".to_owned()], None));
    assert_eq!(list("?search=A").await?.0, ["ada", "cay"]);
    assert_eq!(list("?username=BEN").await?.0, ["ben"]);
    assert_eq!(list(&format!("?search={}", world.cay.user_id)).await?.0, ["cay"]);
    assert_eq!(list("?search=nobody").await?.0, [""; 0]);
    for wrong in ["?limit=many", "?admin=perhaps", "?after=-1"] {
        let path = format!("/api/admin/users{wrong}");
        expect_refused(&world.ask("GET", &path, Value::Null).await?, ErrorReason::InvalidField)?;
    }

    let _session = world.connect(&world.ben).await?;
    let founded = json!({"clientMsgId": "g", "title": "Storms", "members": [world.cay.user_id]});
    let token = &world.ben.access_token;
    ask_as(&world.http, token, "POST", "/api/groups", founded).await?;
    let path = format!("/api/admin/users/{}", world.ben.user_id);
    let shown: AdminUserShown = world.ask("GET", &path, Value::Null).await?.data()?;
    assert_eq!((shown.logins.len(), shown.sessions), (1, Some(1)));
    assert!(shown.seen_ts.is_some() && !shown.more_logins && !shown.user.admin);
    let groups = world.ask("GET", &format!("{path}/groups"), Value::Null).await?.json()?;
    assert_eq!(groups["data"]["groups"][0]["title"], "Storms", "{groups}");
    assert_eq!(groups["data"]["groups"][0]["role"], "owner", "{groups}");
    Ok(())
}

#[tokio::test]
async fn groups_are_listed_changed_and_ended_by_who_is_in_none_of_them() -> Result<()> {
    let world = World::new().await?;
    let (ben, cay) = (&world.ben, &world.cay);
    let mut session = world.connect(cay).await?;
    let founded = json!({"clientMsgId": "g", "title": "Storms", "members": [cay.user_id]});
    let answer = ask_as(&world.http, &ben.access_token, "POST", "/api/groups", founded).await?;
    let group = answer.json()?["data"]["conversationId"].as_str().context("a group")?.to_owned();
    let listed = world.ask("GET", "/api/admin/groups?search=sTORM", Value::Null).await?.json()?;
    assert_eq!(listed["data"]["groups"][0]["groupId"], group, "{listed}");
    assert_eq!(listed["data"]["groups"][0]["members"], 2, "{listed}");
    let path = format!("/api/admin/groups/{group}");
    let ask = async |method: &'static str, what: &str, body: Value| {
        world.ask(method, &format!("{path}{what}"), body).await
    };
    let page = ask("GET", "?limit=1", Value::Null).await?.json()?;
    assert_eq!(page["data"]["members"][0]["role"], "owner", "{page}");
    let next = page["data"]["next"].as_str().context("a second page")?.to_owned();
    let page = ask("GET", &format!("?usersAfter={next}"), Value::Null).await?.json()?;
    assert_eq!(page["data"]["members"][0]["userId"], cay.user_id.to_string(), "{page}");

    let remove = |user: UserId| format!("/members/{user}/remove");
    let owner = ask("POST", &remove(ben.user_id), Value::Null).await?;
    expect_refused(&owner, ErrorReason::NotAllowed)?;
    let stranger = ask("POST", "/hand-over", json!({"user": world.ada.user_id})).await?;
    expect_refused(&stranger, ErrorReason::UserNotFound)?;
    assert_eq!(ask("POST", "/hand-over", json!({"user": cay.user_id})).await?.status, 200);
    assert_eq!(ask("POST", &remove(ben.user_id), Value::Null).await?.status, 200);
    // The members are told by the system, and not by the admin.
    let told = async {
        loop {
            let frame = session.next_json().await?;
            if frame["change"]["kind"] == "membersRemoved" {
                return anyhow::Ok(frame);
            }
        }
    };
    let told = petrel_testkit::in_time("the removal to be told", told).await??;
    assert_eq!(told["from"], "0", "{told}");
    let away = json!({"clientMsgId": "m", "groupId": group, "body": "still here?"});
    let away = ask_as(&world.http, &ben.access_token, "POST", "/api/messages", away).await?;
    expect_refused(&away, ErrorReason::ConversationNotFound)?;

    let told = petrel_admin(world.server.data(), &format!("groups dissolve {group}"), "").await?;
    assert_eq!(told.stdout, "Done.\n", "{told:?}");
    let again = ask("POST", "/dissolve", Value::Null).await?;
    expect_refused(&again, ErrorReason::NothingToChange)?;
    let nothing = world.ask("POST", "/api/admin/groups/77/dissolve", Value::Null).await?;
    expect_refused(&nothing, ErrorReason::ConversationNotFound)?;
    let log = world.ask("GET", &format!("/api/admin/audit?group={group}"), Value::Null).await?;
    let log: AuditLog = log.data()?;
    let actions: Vec<_> = log.records.iter().map(|record| record.action).rev().collect();
    use AuditAction::{GroupChangeFailed, GroupDissolved, GroupHandedOver, GroupMemberRemoved};
    let expected = [
        GroupMemberRemoved,
        GroupChangeFailed,
        GroupHandedOver,
        GroupChangeFailed,
        GroupHandedOver,
        GroupMemberRemoved,
        GroupDissolved,
        GroupDissolved,
        GroupChangeFailed,
    ];
    assert_eq!(actions, expected);
    let figures = petrel_admin(world.server.data(), "statistics", "").await?.stdout;
    assert!(figures.contains("groups     1\n"), "{figures}");
    Ok(())
}

#[tokio::test]
async fn log_ins_of_admins_are_recorded_and_those_that_fail() -> Result<()> {
    let world = World::new().await?;
    world.http.login("ada", "wrong horse").await?;
    world.http.login("ben", "wrong horse").await?;
    let path = "/api/admin/audit?action=adminLoginFailed";
    let log: AuditLog = world.ask("GET", path, Value::Null).await?.data()?;
    let told: Vec<_> =
        log.records.iter().map(|it| (it.actor, it.user, it.source.as_str())).collect();
    assert_eq!(told, [(None, Some(world.ada.user_id), "127.0.0.1")]);
    let path = format!("/api/admin/audit?actor={}", world.ada.user_id);
    let log: AuditLog = world.ask("GET", &path, Value::Null).await?.data()?;
    assert_eq!(log.records[0].action, AuditAction::AdminLoggedIn);
    Ok(())
}

/// To everybody but an admin there is nothing below /api/admin, whatever is asked and however.
#[tokio::test]
async fn nobody_but_an_admin_learns_what_there_is_for_admins() -> Result<()> {
    // More is asked here than a user may ask on a fast machine.
    let any_number = "limits.http_user_requests_per_second=0";
    let world = World::on(&launcher()?.argument("--set").argument(any_number)).await?;
    let http = &world.http;
    let document = http.get("/openapi.json").await?.json()?;
    let paths = document["paths"].as_object().context("paths")?;
    let mut asked = 0;
    let without_id = |answer: &Answer| {
        let mut failure = answer.json()?;
        failure["requestId"] = Value::Null;
        anyhow::Ok((answer.status, failure))
    };
    let expected = ask_as(http, &world.ben.access_token, "GET", "/api/no/such/path", Value::Null);
    let expected = without_id(&expected.await?)?;
    assert_eq!(expected.0, 404);
    let below = paths.keys().filter(|path| path.starts_with("/api/admin"));
    let made_up = ["/api/admin", "/api/admin/", "/api/admin/no/such/path"].map(str::to_owned);
    for path in below.cloned().chain(made_up) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            for id in [world.cay.user_id.to_string(), "77".to_owned(), "no-id".to_owned()] {
                let path = path
                    .split('/')
                    .map(|part| if part.starts_with('{') { id.as_str() } else { part })
                    .collect::<Vec<_>>()
                    .join("/");
                for body in [Value::Null, json!({"admin": true}), json!([])] {
                    let token = &world.ben.access_token;
                    let answer = ask_as(http, token, method, &path, body).await?;
                    assert_eq!(without_id(&answer)?, expected, "{method} {path}");
                    asked += 1;
                }
                let answer = http.request(method, &path, &[], "").await?;
                expect_refused(&answer, ErrorReason::MissingToken)?;
            }
        }
    }
    assert!(asked > 300, "only {asked} were asked");
    // And nothing was done by it.
    let log: AuditLog = world.ask("GET", "/api/admin/audit", Value::Null).await?.data()?;
    let actions: Vec<_> = log.records.iter().map(|record| record.action).collect();
    let own = [AuditAction::AdminLoggedIn, AuditAction::AdminMade, AuditAction::UserCreated];
    assert_eq!(actions, own);
    Ok(())
}

#[tokio::test]
async fn an_admin_who_asks_too_often_has_to_wait() -> Result<()> {
    let launcher = launcher()?
        .argument("--set")
        .argument("limits.http_admin_requests_per_second=1")
        .argument("--set")
        .argument("limits.http_admin_requests_burst=3");
    let (server, ada) = start_with_admin(&launcher).await?;
    let ask = || server.http();
    let mut answer = ask().get_as(&ada.access_token, "/api/admin/users").await?;
    for _ in 0..30 {
        if answer.status != 200 {
            break;
        }
        answer = ask().get_as(&ada.access_token, "/api/admin/users").await?;
    }
    expect_refused(&answer, ErrorReason::TooManyRequests)?;
    // Other requests are counted apart.
    server.http().get_as(&ada.access_token, "/api/users/me").await?.data::<Profile>()?;
    Ok(())
}

#[tokio::test]
async fn the_socket_is_for_the_owner_of_the_data_alone_and_goes_with_the_server() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let launcher = launcher()?;
    let server = launcher.start().await?;
    let socket = launcher.data().join("operator.sock");
    let mode = std::fs::metadata(&socket)?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.kill().await?;
    assert!(socket.exists(), "what is left of a killed server");
    let told = petrel_admin(launcher.data(), "users list", "").await?;
    assert_eq!(told.stdout, "Nobody is found.\n", "{told:?}");
    let server = launcher.start().await?;
    let told: Exit = petrel_admin(launcher.data(), "users list --json", "").await?;
    assert_eq!(serde_json::from_str::<Value>(&told.stdout)?, json!({"users": []}));
    server.stop(Signal::Terminate).await?;
    assert!(!socket.exists());
    Ok(())
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}
