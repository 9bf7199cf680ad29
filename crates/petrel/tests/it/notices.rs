//! Notices to everybody, from the outside: who is told, when, and who may say them.

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Auth, ClientFrame, Notice, ServerFrame};
use petrel_protocol::http::LoggedIn;
use petrel_protocol::http::admin::{AdminNotices, AuditAction, AuditLog, NoticeSent};
use petrel_testkit::client::{Client, Connect};
use petrel_testkit::faults::Faults;
use petrel_testkit::http::{Answer, Http};
use petrel_testkit::server::{Launcher, Server};
use serde_json::{Value, json};

use crate::support::{ask_as, launcher, petrel_admin, start_with_admin};

const MINUTE_MS: u64 = 60_000;

struct World {
    launcher: Launcher,
    server: Server,
    http: Http,
    ada: LoggedIn,
    ben: LoggedIn,
}

impl World {
    async fn new() -> Result<Self> {
        Self::on(launcher()?).await
    }

    async fn on(launcher: Launcher) -> Result<Self> {
        let (server, ada) = start_with_admin(&launcher).await?;
        let http = server.http();
        let ben = http.new_user("ben").await?;
        Ok(Self { launcher, server, http, ada, ben })
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Answer> {
        ask_as(&self.http, &self.ada.access_token, method, path, body).await
    }

    async fn send(&self, body: Value) -> Result<NoticeSent> {
        self.ask("POST", "/api/admin/notices", body).await?.data()
    }

    async fn withdraw(&self, sent: &NoticeSent) -> Result<Answer> {
        let path = format!("/api/admin/notices/{}/withdraw", sent.notice.notice_id);
        self.ask("POST", &path, Value::Null).await
    }

    async fn texts(&self, query: &str) -> Result<(Vec<String>, Option<String>)> {
        let path = format!("/api/admin/notices{query}");
        let listed: AdminNotices = self.ask("GET", &path, Value::Null).await?.data()?;
        let texts = listed.notices.into_iter().map(|notice| notice.text).collect();
        Ok((texts, listed.next.map(|next| next.to_string())))
    }

    async fn connect(&self) -> Result<Client> {
        Connect::to(self.server.gateway_address()).authenticate(&self.ben.access_token).await
    }
}

async fn expect_notice(session: &mut Client, sent: &NoticeSent) -> Result<()> {
    match session.next_frame().await? {
        ServerFrame::Notice(Notice { notice_id, text, ts, until_ts }) => {
            let said = &sent.notice;
            assert_eq!((notice_id, &text, ts), (said.notice_id, &said.text, said.ts));
            assert_eq!(until_ts, said.until_ts);
        }
        other => panic!("expected NOTICE, got {other:?}"),
    }
    Ok(())
}

async fn expect_withdrawn(session: &mut Client, sent: &NoticeSent) -> Result<()> {
    match session.next_frame().await? {
        ServerFrame::NoticeWithdrawn(it) => assert_eq!(it.notice_id, sent.notice.notice_id),
        other => panic!("expected NOTICE_WITHDRAWN, got {other:?}"),
    }
    Ok(())
}

async fn now_ms(session: &mut Client) -> Result<u64> {
    session.send_text(json!({"type": "PING"}).to_string()).await?;
    session.next_json().await?["ts"].as_u64().context("the time of a PONG")
}

#[tokio::test]
async fn everybody_is_told_and_those_who_come_until_it_is_withdrawn() -> Result<()> {
    let world = World::new().await?;
    let mut here = [world.connect().await?, world.connect().await?];
    // One without a version would not know what it is.
    let mut legacy = Connect::to(world.server.gateway_address()).open().await?;
    let token = world.ben.access_token.clone();
    legacy.send(&ClientFrame::Auth(Auth { token, ..Auth::default() })).await?;
    legacy.expect_auth_ok().await?;

    let once = world.send(json!({"text": "said once"})).await?;
    assert_eq!((once.sessions, once.notice.by), (3, Some(world.ada.user_id)));
    let stays = world.send(json!({"text": "stays\nhere", "untilWithdrawn": true})).await?;
    assert!(stays.notice.notice_id > once.notice.notice_id);
    for session in &mut here {
        expect_notice(session, &once).await?;
        expect_notice(session, &stays).await?;
    }
    let mut late = world.connect().await?;
    expect_notice(&mut late, &stays).await?;
    assert_eq!(world.texts("").await?.0, ["stays\nhere"]);

    assert_eq!(world.withdraw(&stays).await?.status, 200);
    for session in here.iter_mut().chain([&mut late]) {
        expect_withdrawn(session, &stays).await?;
        session.expect_silence().await?;
    }
    legacy.expect_silence().await?;
    world.connect().await?.expect_silence().await?;
    for gone in [&stays, &once] {
        let refused = world.withdraw(gone).await?;
        assert_eq!(refused.failure()?.reason, ErrorReason::NoticeNotFound);
    }
    assert_eq!(world.texts("").await?.0, [""; 0]);

    let log: AuditLog = world.ask("GET", "/api/admin/audit", Value::Null).await?.data()?;
    let told: Vec<_> = log.records.iter().map(|it| (it.action, it.actor)).take(3).collect();
    let ada = Some(world.ada.user_id);
    use AuditAction::{NoticeSent, NoticeWithdrawn};
    assert_eq!(told, [(NoticeWithdrawn, ada), (NoticeSent, ada), (NoticeSent, ada)]);
    let details: Vec<_> = log.records.iter().map(|it| it.detail.as_str()).collect();
    assert!(details[2].contains("once") && details[2].contains("said once"), "{details:?}");
    assert!(details[1].contains(r"stays\nhere"), "one line each: {details:?}");
    Ok(())
}

#[tokio::test]
async fn what_has_an_end_outlives_a_crash_and_ends_by_itself() -> Result<()> {
    let faults = Faults::new()?;
    let world = World::on(faults.below(launcher()?)?).await?;
    let mut session = world.connect().await?;
    let now = now_ms(&mut session).await?;
    let until = now + 30 * MINUTE_MS;
    let lasts = world.send(json!({"text": "lasts", "untilTs": until})).await?;
    assert_eq!(lasts.notice.until_ts.map(|until| until.get()), Some(until));
    let brief = world.send(json!({"text": "brief", "untilTs": now + 5 * MINUTE_MS})).await?;
    expect_notice(&mut session, &lasts).await?;
    expect_notice(&mut session, &brief).await?;

    // Not as long as a log-in is good for.
    faults.set_clock_offset_ms(6 * MINUTE_MS as i64)?;
    let World { launcher, server, ada, ben, .. } = world;
    server.kill().await?;
    // On the data of a stopped server, too.
    let told = petrel_admin(launcher.data(), "notices send --until-withdrawn offline", "").await?;
    assert!(told.stdout.ends_with("nobody is connected.\n"), "{told:?}");
    let told = petrel_admin(launcher.data(), "notices send once", "").await?;
    assert!(told.stderr.contains("takes a running server"), "{told:?}");
    let server = launcher.start().await?;
    let world = World { http: server.http(), launcher, server, ada, ben };
    let over = async || Ok((world.texts("").await?.0.len() == 2).then_some(()));
    petrel_testkit::until("the end of a notice", over).await?;
    let mut back = world.connect().await?;
    expect_notice(&mut back, &lasts).await?;
    match back.next_frame().await? {
        ServerFrame::Notice(notice) => assert_eq!(notice.text, "offline"),
        other => panic!("expected NOTICE, got {other:?}"),
    }
    back.expect_silence().await?;
    assert_eq!(world.texts("").await?.0, ["offline", "lasts"]);
    let listed = petrel_admin(world.launcher.data(), "notices list", "").await?.stdout;
    assert!(listed.contains("until withdrawn  \"offline\"\n"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn notices_are_bounded_listed_in_pages_and_looked_through_for_words() -> Result<()> {
    let world = World::new().await?;
    let refused = async |body: Value| {
        let answer = world.ask("POST", "/api/admin/notices", body).await?;
        anyhow::Ok(answer.failure()?.reason)
    };
    let invalid = [
        json!({}),
        json!({"text": " "}),
        json!({"text": "x".repeat(1001)}),
        json!({"text": "a\u{0}b"}),
        json!({"text": "t", "untilTs": 1}),
        json!({"text": "t", "untilTs": u64::MAX}),
        json!({"text": "t", "untilTs": u64::MAX, "untilWithdrawn": true}),
    ];
    for body in invalid {
        assert_eq!(refused(body.clone()).await?, ErrorReason::InvalidField, "{body}");
    }
    let words = json!({"words": [{"word": "spam"}, {"word": "ham", "mode": "replace"}]});
    world.ask("PUT", "/api/admin/words", words).await?;
    assert_eq!(refused(json!({"text": "SPAM"})).await?, ErrorReason::WordRefused);
    let replaced = world.send(json!({"text": "ham", "untilWithdrawn": true})).await?;
    assert_eq!(replaced.notice.text, "***");

    for number in 1..20 {
        world.send(json!({"text": number.to_string(), "untilWithdrawn": true})).await?;
    }
    let beyond = json!({"text": "t", "untilWithdrawn": true});
    assert_eq!(refused(beyond.clone()).await?, ErrorReason::LimitReached);
    // What is said once takes no room.
    world.send(json!({"text": "once"})).await?;
    let (first, next) = world.texts("?limit=2").await?;
    assert_eq!(first, ["19", "18"]);
    let next = next.context("a second page")?;
    let (rest, end) = world.texts(&format!("?before={next}")).await?;
    assert_eq!((rest.len(), rest.last().map(String::as_str), end), (18, Some("***"), None));
    assert_eq!(world.withdraw(&replaced).await?.status, 200);
    world.send(beyond).await?;

    // Nobody else may say anything, nor read or take back what was said.
    let ben = &world.ben.access_token;
    for (method, path) in [
        ("GET", "/api/admin/notices".to_owned()),
        ("POST", "/api/admin/notices".to_owned()),
        ("POST", format!("/api/admin/notices/{next}/withdraw")),
    ] {
        let answer = ask_as(&world.http, ben, method, &path, json!({"text": "mine"})).await?;
        assert_eq!(answer.failure()?.reason, ErrorReason::NotFound, "{method} {path}");
    }
    assert_eq!(world.texts("").await?.0.len(), 20);
    Ok(())
}
