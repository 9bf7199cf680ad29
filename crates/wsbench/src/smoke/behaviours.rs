//! The behaviours of one server.

use std::time::Duration;

use serde_json::json;

use super::{Client, Done, Stage, Stop, id_of};
use crate::adapter::AdapterKind;

/// How long a server may take until it pushes again what nobody acknowledges.
const RESEND_PATIENCE: Duration = Duration::from_secs(20);
/// How long the tokens of the chain last, in seconds.
const SHORT_TOKEN_SECONDS: u64 = 2;

/// Send, ack, delivery under the same id, receipt, and the receipt relayed.
pub(super) fn basic(stage: &mut Stage<'_>) -> Done {
    let (a, b) = (stage.user(0), stage.user(1));
    let mut sender = stage.log_in("A", a, 0)?;
    let mut recipient = stage.log_in("B", b, 0)?;
    let name = stage.name();
    let ack = stage.send(&mut sender, b, &name, "hello")?;
    let message = stage.receive(&mut recipient, &name)?;
    if id_of(&message) != id_of(&ack) || message["msgSeq"] != ack["msgSeq"] {
        return Err(
            format!("the ack and the delivery name different messages: {ack} {message}").into()
        );
    }
    let (from, by) = (a.to_string(), b.to_string());
    if message["body"] != "hello" || message["from"] != from.as_str() {
        return Err(format!("that is not what was sent: {message}").into());
    }
    stage.acknowledge(&mut recipient, &message, "delivered")?;
    stage.wait(&mut sender, "relayed receipt", |frame| {
        frame["type"] == "ACK" && frame["ackType"] == "delivered" && frame["from"] == by.as_str()
    })?;
    Ok(())
}

/// The same name twice is one message, whatever the second says.
pub(super) fn idempotency(stage: &mut Stage<'_>) -> Done {
    let (a, b) = (stage.user(0), stage.user(1));
    let mut sender = stage.log_in("A", a, 0)?;
    let mut recipient = stage.log_in("B", b, 0)?;
    let (name, next) = (stage.name(), stage.name());
    let first = stage.send(&mut sender, b, &name, "first")?;
    let second = stage.send(&mut sender, b, &name, "second")?;
    if id_of(&first) != id_of(&second) {
        return Err(format!("two ids for one name: {first} {second}").into());
    }
    stage.receive(&mut recipient, &name)?;
    // What comes before the next message is all there is: pushes keep their order.
    stage.send(&mut sender, b, &next, "next")?;
    let after =
        stage.wait(&mut recipient, "next message", |frame| frame["type"] == "SINGLE_CHAT")?;
    if after["clientMsgId"] != next.as_str() {
        return Err(format!("it was delivered twice: {after}").into());
    }
    Ok(())
}

/// What was sent to somebody absent is there when that one comes.
pub(super) fn offline_drop_and_recover(stage: &mut Stage<'_>) -> Done {
    let (a, b) = (stage.user(0), stage.user(1));
    let mut sender = stage.log_in("A", a, 0)?;
    let names = [stage.name(), stage.name()];
    for name in &names {
        stage.send(&mut sender, b, name, "while away")?;
    }
    let mut recipient = stage.log_in("B", b, 0)?;
    for name in &names {
        let message = stage.receive(&mut recipient, name)?;
        stage.acknowledge(&mut recipient, &message, "delivered")?;
    }
    Ok(())
}

/// What is not acknowledged comes again.
pub(super) fn cron_resend_no_ack_receive(stage: &mut Stage<'_>) -> Done {
    let (a, b) = (stage.user(0), stage.user(1));
    let mut sender = stage.log_in("A", a, 0)?;
    let mut recipient = stage.log_in("B", b, 0)?;
    let name = stage.name();
    stage.send(&mut sender, b, &name, "nobody says that it came")?;
    let first = stage.receive(&mut recipient, &name)?;
    let patience = stage.patience;
    stage.patience = patience.max(RESEND_PATIENCE);
    let again = stage.receive(&mut recipient, &name);
    stage.patience = patience;
    let again = again?;
    if id_of(&first) != id_of(&again) {
        return Err(format!("it came again as another message: {first} {again}").into());
    }
    stage.acknowledge(&mut recipient, &again, "delivered")?;
    Ok(())
}

/// A session outlives its token by being given another one, and a token that is over lets
/// nobody in.
pub(super) fn auth_chain(stage: &mut Stage<'_>) -> Done {
    let a = stage.user(0);
    let mut client = stage.connect("A", 0)?;
    let short = stage.token(a, SHORT_TOKEN_SECONDS);
    stage.say(&mut client, &json!({"type": "AUTH", "token": short}))?;
    stage.wait(&mut client, "AUTH_OK", |frame| frame["type"] == "AUTH_OK")?;
    ping(stage, &mut client)?;
    // The only way to see that a token is over is to wait for it.
    std::thread::sleep(Duration::from_millis(SHORT_TOKEN_SECONDS * 1000 + 100));
    let next = stage.token(a, SHORT_TOKEN_SECONDS);
    stage.say(&mut client, &json!({"type": "REAUTH", "token": next}))?;
    stage.wait(&mut client, "answer to REAUTH", |frame| {
        matches!(frame["type"].as_str(), Some("AUTH_OK" | "REAUTH_OK"))
    })?;
    ping(stage, &mut client)?;
    let mut late = stage.connect("A, with the first token", 0)?;
    stage.say(&mut late, &json!({"type": "AUTH", "token": short}))?;
    stage.wait(&mut late, "AUTH_FAIL", |frame| frame["type"] == "AUTH_FAIL")?;
    if stage.adapter == AdapterKind::MiniIm {
        // No grace there: the first ping after the end is one too many.
        std::thread::sleep(Duration::from_millis(SHORT_TOKEN_SECONDS * 1000));
        stage.say(&mut client, &json!({"type": "PING"}))?;
        stage.wait(&mut client, "ERROR token_expired", |frame| {
            frame["type"] == "ERROR" && frame["reason"] == "token_expired"
        })?;
    }
    Ok(())
}

fn ping(stage: &mut Stage<'_>, client: &mut Client) -> Result<(), String> {
    stage.say(client, &json!({"type": "PING"}))?;
    stage.wait(client, "PONG", |frame| frame["type"] == "PONG").map(drop)
}

/// Somebody asks to be a friend, and the other one hears of it and accepts.
pub(super) fn friend_request(stage: &mut Stage<'_>) -> Done {
    let (a, b) = (stage.user(0), stage.user(1));
    let mut asks = stage.log_in("A", a, 0)?;
    let mut asked = stage.log_in("B", b, 0)?;
    match stage.adapter {
        AdapterKind::Petrel => contact(stage, (&mut asks, a), (&mut asked, b)),
        _ => request(stage, (&mut asks, a), (&mut asked, b)),
    }
}

/// In mini-im's words.
fn request(stage: &mut Stage<'_>, asks: (&mut Client, u64), asked: (&mut Client, u64)) -> Done {
    let name = stage.name();
    let to = asked.1.to_string();
    let frame = json!({"type": "FRIEND_REQUEST", "clientMsgId": name, "to": to, "body": "hi"});
    stage.say(asks.0, &frame)?;
    let answer = stage.wait(asks.0, "ACK saved", |frame| {
        matches!(frame["type"].as_str(), Some("ACK" | "ERROR"))
    })?;
    if matches!(answer["reason"].as_str(), Some("unknown_type" | "not_implemented")) {
        return Err(Stop::Skipped("the server has no FRIEND_REQUEST".to_owned()));
    }
    if answer["ackType"] != "saved" {
        return Err(format!("the request was not taken: {answer}").into());
    }
    let from = asks.1.to_string();
    stage.wait(asked.0, "FRIEND_REQUEST", |frame| {
        frame["type"] == "FRIEND_REQUEST" && frame["from"] == from.as_str()
    })?;
    Ok(())
}

/// In Petrel's words.
fn contact(stage: &mut Stage<'_>, asks: (&mut Client, u64), asked: (&mut Client, u64)) -> Done {
    let tell = |stage: &mut Stage<'_>, client: &mut Client, user: u64, action: &str| {
        let name = stage.name();
        let frame = json!({
            "type": "CONTACT", "clientMsgId": name, "user": user.to_string(), "action": action
        });
        stage.say(client, &frame)?;
        let answer = stage.wait(client, "ACK done", |frame| {
            frame["clientMsgId"] == name.as_str()
                && matches!(frame["type"].as_str(), Some("ACK" | "ERROR"))
        })?;
        match answer["ackType"] == "done" {
            true => Ok(()),
            false => Err(format!("{action} was not taken: {answer}")),
        }
    };
    let hear = |stage: &mut Stage<'_>, client: &mut Client, user: u64, action: &str| {
        let user = user.to_string();
        stage.wait(client, &format!("contactChanged by {action}"), |frame| {
            let change = &frame["change"];
            frame["type"] == "EVENT"
                && change["kind"] == "contactChanged"
                && change["action"] == action
                && change["contact"]["user"] == user.as_str()
        })
    };
    tell(stage, asks.0, asked.1, "apply")?;
    hear(stage, asked.0, asks.1, "apply")?;
    tell(stage, asked.0, asks.1, "accept")?;
    let change = hear(stage, asks.0, asked.1, "accept")?;
    match change["change"]["contact"]["friendSinceTs"].is_number() {
        true => Ok(()),
        false => Err(format!("accepted, and no friends: {change}").into()),
    }
}
