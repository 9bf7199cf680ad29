//! Searching, as users see it: what is found, by whom, and what never is.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use petrel_protocol::frame::{Found, History};
use petrel_testkit::PATIENCE;
use petrel_testkit::client::{Client, add, found, remove};
use petrel_testkit::server::{Server, Signal};
use petrel_types::UserId;
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, CAROL, ask, bench_server, launcher};

/// How many messages were sent, to name each.
static SENT: AtomicU64 = AtomicU64::new(1);

async fn say(client: &mut Client, to: UserId, body: &str) -> Result<Value> {
    // A name stays when the text goes, so it must not tell it.
    let name = SENT.fetch_add(1, Ordering::Relaxed).to_string();
    let frame = json!({"type": "SINGLE_CHAT", "clientMsgId": name, "to": to, "body": body});
    let ack = ask(client, frame).await?;
    ensure!(ack["ackType"] == "saved", "{ack}");
    Ok(ack)
}

/// The answer to a search, once everything that was stored before is searched.
async fn search(client: &mut Client, mut request: Value) -> Result<Found> {
    request["type"] = json!("SEARCH");
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = ask(client, request.clone()).await?;
        ensure!(answer["type"] == "FOUND", "{request}: {answer}");
        if answer["behind"] == 0 {
            return Ok(serde_json::from_value(answer)?);
        }
        ensure!(Instant::now() < give_up, "{request}: still behind: {answer}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn texts(found: &Found) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.excerpt.text.as_str()).collect()
}

async fn finds(client: &mut Client, request: Value, expected: &[&str]) -> Result<()> {
    let found = search(client, request.clone()).await?;
    assert_eq!(texts(&found), expected, "{request}");
    Ok(())
}

async fn finds_text(client: &mut Client, q: &str, expected: &[&str]) -> Result<()> {
    finds(client, json!({"q": q}), expected).await
}

fn id(value: &Value, name: &str) -> Result<String> {
    Ok(value[name].as_str().with_context(|| format!("no {name}: {value}"))?.to_owned())
}

/// How often something stands in the files below a directory.
fn traces(directory: &Path, needle: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(traces(&path, needle)?);
        } else if path.is_file() {
            let bytes = match fs::read(&path) {
                // The server has deleted it meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                read => read?,
            };
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn messages_are_found_in_chinese_and_english_by_both_and_by_no_stranger() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let mut carol = server.connect(CAROL, "phone").await?;
    let (weather, storm) = ("明天天气怎么样？", "The Storm, is over: Ｃａｆé");
    let mixed = "我的iPhone手机不见了";
    for body in [weather, storm, mixed] {
        say(&mut alice, BOB, body).await?;
    }
    for client in [&mut alice, &mut bob] {
        finds_text(client, "天气", &[weather]).await?;
        finds_text(client, "气天", &[]).await?;
        finds_text(client, "的", &[mixed]).await?;
        finds_text(client, "sto", &[storm]).await?;
        finds_text(client, "torm", &[]).await?;
        finds_text(client, "CAFE over", &[storm]).await?;
        finds_text(client, "\"storm is\"", &[storm]).await?;
        finds_text(client, "\"is storm\"", &[]).await?;
        finds_text(client, "iphone手机", &[mixed]).await?;
        finds(client, json!({"from": ALICE}), &[mixed, storm, weather]).await?;
        finds(client, json!({"from": BOB}), &[]).await?;
        finds(client, json!({"msgType": "TEXT", "q": "天"}), &[weather]).await?;
    }
    for q in ["天气", "storm", "iphone"] {
        finds_text(&mut carol, q, &[]).await?;
    }
    finds(&mut carol, json!({"from": ALICE}), &[]).await?;
    for wrong in [json!({}), json!({"q": ""}), json!({"q": "?!"}), json!({"q": "x".repeat(200)})] {
        let mut request = wrong;
        request["type"] = json!("SEARCH");
        assert_eq!(ask(&mut alice, request).await?["reason"], "invalid_field");
    }
    Ok(())
}

#[tokio::test]
async fn hits_are_marked_and_come_in_pages_over_both_transports() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let bodies: Vec<String> = (0..23).map(|number| format!("number {number} 鸟")).collect();
    let mut times = Vec::new();
    for (number, body) in bodies.iter().enumerate() {
        let to = if number % 2 == 0 { BOB } else { CAROL };
        times.push(say(&mut alice, to, body).await?["ts"].clone());
    }
    let mut request = json!({"q": "鸟 num", "limit": 5});
    let mut seen = Vec::new();
    loop {
        let page = search(&mut alice, request.clone()).await?;
        for hit in &page.hits {
            let marks: Vec<_> =
                hit.excerpt.marks.iter().map(|mark| (mark.start, mark.length)).collect();
            let end = hit.excerpt.text.encode_utf16().count() as u64 - 1;
            assert_eq!(marks, [(0, 6), (end, 1)], "{hit:?}");
        }
        seen.extend(page.hits.iter().map(|hit| hit.excerpt.text.clone()));
        match page.cursor {
            Some(cursor) => request["cursor"] = json!(cursor),
            None => break,
        }
    }
    assert!(seen.iter().eq(bodies.iter().rev()), "{seen:?}");

    let http = server.http();
    let token = server.mint()?.token(ALICE);
    let path = "/api/messages/search?q=%E9%B8%9F&limit=50";
    let path = format!("{path}&from={ALICE}&afterTs={}", times[3]);
    let page: Found = http.get_as(&token, &path).await?.data()?;
    let after = times.iter().filter(|ts| ts.as_u64() >= times[3].as_u64());
    assert_eq!(page.hits.len(), after.count());
    let path = format!("/api/messages/search?q=number&limit=50&beforeTs={}", times[3]);
    let page: Found = http.get_as(&token, &path).await?.data()?;
    let before = times.iter().filter(|ts| ts.as_u64() < times[3].as_u64());
    assert_eq!(page.hits.len(), before.count());
    for path in ["/api/messages/search", "/api/messages/search?q=a&cursor=7"] {
        assert_eq!(http.get_as(&token, path).await?.failure()?.reason.as_str(), "invalid_field");
    }
    let refused = http.get_as(&token, "/api/messages/search?q=a&conversationId=77").await?;
    assert_eq!(refused.failure()?.reason.as_str(), "conversation_not_found");
    assert_eq!(http.get("/api/messages/search?q=a").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn members_find_what_was_said_while_they_were_members() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let founded = alice.request(&found("g", "Harbour", vec![CAROL], History::Joined)).await?;
    let group = id(&serde_json::to_value(&founded)?, "conversationId")?;
    let said = |name: &str| json!({"type": "GROUP_CHAT", "clientMsgId": name, "groupId": group, "body": name});
    let number = petrel_types::ConversationId::new(group.parse()?);
    for (name, change) in [
        ("harbour before", add(number, "a1", vec![BOB])),
        ("harbour within", remove(number, "r1", vec![BOB])),
        ("harbour between", add(number, "a2", vec![BOB])),
        ("harbour again", remove(number, "r2", vec![BOB])),
    ] {
        assert_eq!(ask(&mut alice, said(name)).await?["ackType"], "saved");
        alice.request(&change).await?;
    }
    ask(&mut alice, said("harbour after")).await?;
    let all =
        ["harbour after", "harbour again", "harbour between", "harbour within", "harbour before"];
    finds_text(&mut alice, "harbour", &all).await?;
    for request in [json!({"q": "harbour"}), json!({"q": "harb", "conversationId": group})] {
        finds(&mut bob, request, &["harbour again", "harbour within"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn recalled_and_edited_text_is_never_found_and_leaves_the_files() -> Result<()> {
    let server = bench_server().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    let mut bob = server.connect(BOB, "phone").await?;
    let recalled = say(&mut alice, BOB, "zanzibarsecret 秘密").await?;
    let edited = say(&mut alice, BOB, "quokkasecret 秘密").await?;
    say(&mut alice, BOB, "stays").await?;
    assert_eq!(search(&mut bob, json!({"q": "秘密"})).await?.hits.len(), 2);

    let recall = json!({
        "type": "MESSAGE_REVOKE", "clientMsgId": "r", "serverMsgId": recalled["serverMsgId"]
    });
    assert_eq!(ask(&mut alice, recall).await?["ackType"], "saved");
    let edit = json!({
        "type": "MESSAGE_EDIT", "clientMsgId": "e", "serverMsgId": edited["serverMsgId"],
        "body": "harmless"
    });
    assert_eq!(ask(&mut alice, edit).await?["ackType"], "saved");
    // At once, however far the index is.
    for q in ["秘密", "zanzi", "quokka"] {
        let answer = ask(&mut bob, json!({"type": "SEARCH", "q": q})).await?;
        assert_eq!(answer["hits"], json!([]), "{q}: {answer}");
    }
    finds_text(&mut bob, "harmless", &["harmless"]).await?;
    finds_text(&mut bob, "stays", &["stays"]).await?;
    finds(&mut bob, json!({"from": ALICE}), &["stays", "harmless"]).await?;

    let data = server.data().to_owned();
    assert!(data.join("search/search.db").exists());
    let give_up = Instant::now() + PATIENCE;
    for secret in ["zanzibarsecret", "quokkasecret", "秘密"] {
        while let Some(first) = traces(&data, secret.as_bytes())?.first() {
            ensure!(Instant::now() < give_up, "{secret} is still in {first}");
            // Something is written now and then, so that logs are looked after.
            ask(&mut alice, json!({"type": "PING"})).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_index_catches_up_after_a_kill_and_is_made_again_when_it_is_gone() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let mut server = launcher.start().await?;
    let mut said = 0;
    for round in 0..3 {
        let mut alice = server.connect(ALICE, "phone").await?;
        for number in 0..400 {
            let body = format!("round {round} message {number}");
            alice.chat(BOB, &format!("{round}-{number}"), &body).await?;
        }
        for _ in 0..400 {
            alice.next_text().await?;
        }
        said += 400;
        // In the middle of indexing, most likely.
        server.kill().await?;
        if round == 1 {
            fs::remove_dir_all(launcher.data().join("search"))?;
        }
        server = launcher.start().await?;
        let mut bob = server.connect(BOB, "phone").await?;
        assert_eq!(count(&mut bob, "message").await?, said);
        assert_eq!(count(&mut bob, &format!("\"round {round}\"")).await?, 400);
    }
    let exit = server.stop(Signal::Terminate).await?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    Ok(())
}

/// How many messages there are, over all pages, each counted once.
async fn count(client: &mut Client, q: &str) -> Result<usize> {
    let mut request = json!({"q": q, "limit": 50});
    let mut rows = std::collections::BTreeSet::new();
    loop {
        let page = search(client, request.clone()).await?;
        for hit in page.hits {
            ensure!(rows.insert(hit.server_msg_id), "{} came twice", hit.server_msg_id);
        }
        match page.cursor {
            Some(cursor) => request["cursor"] = json!(cursor),
            None => return Ok(rows.len()),
        }
    }
}

#[tokio::test]
async fn searching_can_be_switched_off_and_its_place_be_chosen() -> Result<()> {
    let elsewhere = tempfile::TempDir::new()?;
    let place = elsewhere.path().join("index");
    let launcher = launcher()?.bench_issuer();
    let off = launcher.clone().variable("PETREL_SEARCH__ENABLED", "false").start().await?;
    let mut alice = off.connect(ALICE, "phone").await?;
    say(&mut alice, BOB, "said while it was off").await?;
    let answer = ask(&mut alice, json!({"type": "SEARCH", "q": "said"})).await?;
    assert_eq!(answer["reason"], "search_off");
    assert!(!off.data().join("search").exists());
    off.stop(Signal::Terminate).await?;

    let text = place.to_str().context("not UTF-8")?;
    let on = launcher.variable("PETREL_SEARCH__DIR", text).start().await?;
    let mut alice = on.connect(ALICE, "phone").await?;
    finds_text(&mut alice, "said", &["said while it was off"]).await?;
    assert!(place.join("search.db").exists() && !on.data().join("search").exists());
    check_metrics(&on).await
}

async fn check_metrics(server: &Server) -> Result<()> {
    let metrics =
        petrel_testkit::http::Http::new(server.admin_address()).get("/metrics").await?.body;
    for expected in ["petrel_search_behind_rows 0", "petrel_search_indexed_total 1"] {
        if !metrics.contains(expected) {
            bail!("no {expected} in:\n{metrics}");
        }
    }
    Ok(())
}
