//! The behaviours of several servers of one system: between the first target and the last.

use serde_json::json;

use super::{Done, Stage, Stop};
use crate::adapter::AdapterKind;

/// The last target, if it is not the only one.
fn other(stage: &Stage<'_>) -> Result<usize, Stop> {
    match stage.targets.len() {
        0 | 1 => Err(Stop::Skipped("takes two targets: --target A,B".to_owned())),
        count => Ok(count - 1),
    }
}

/// Messages cross in both directions, in order.
pub(super) fn single(stage: &mut Stage<'_>) -> Done {
    let other = other(stage)?;
    let (a, b) = (stage.user(0), stage.user(1));
    let mut here = stage.log_in("A at the first", a, 0)?;
    let mut there = stage.log_in("B at the last", b, other)?;
    let names = [stage.name(), stage.name()];
    for name in &names {
        stage.send(&mut here, b, name, "across")?;
    }
    for name in &names {
        let message = stage.wait(&mut there, "message", |frame| frame["type"] == "SINGLE_CHAT")?;
        if message["clientMsgId"] != name.as_str() {
            return Err(format!("not the one whose turn it was: {message}").into());
        }
    }
    let name = stage.name();
    stage.send(&mut there, a, &name, "back")?;
    stage.receive(&mut here, &name)?;
    Ok(())
}

/// A group's message reaches members at another server.
pub(super) fn group(stage: &mut Stage<'_>) -> Done {
    let other = other(stage)?;
    if stage.adapter == AdapterKind::MiniIm {
        return Err(Stop::Skipped(
            "mini-im makes groups over HTTP, for registered users".to_owned(),
        ));
    }
    let (a, b, c) = (stage.user(0), stage.user(1), stage.user(2));
    let mut here = stage.log_in("A at the first", a, 0)?;
    let mut there = stage.log_in("B at the last", b, other)?;
    let mut third = stage.log_in("C at the first", c, 0)?;
    let (founding, name) = (stage.name(), stage.name());
    let members = [b.to_string(), c.to_string()];
    let frame = json!({"type": "GROUP_CREATE", "clientMsgId": founding, "title": "smoke", "members": members});
    stage.say(&mut here, &frame)?;
    let founded =
        stage.wait(&mut here, "ACK saved", |frame| frame["clientMsgId"] == founding.as_str())?;
    let group = founded["conversationId"].clone();
    let frame =
        json!({"type": "GROUP_CHAT", "clientMsgId": name, "groupId": group, "body": "to all"});
    stage.say(&mut here, &frame)?;
    stage.wait(&mut here, "ACK saved", |frame| {
        frame["clientMsgId"] == name.as_str() && frame["ackType"] == "saved"
    })?;
    for client in [&mut there, &mut third] {
        stage.receive(client, &name)?;
    }
    Ok(())
}

/// The same device at another server takes the place of the older session.
pub(super) fn single_login(stage: &mut Stage<'_>) -> Done {
    let other = other(stage)?;
    let a = stage.user(0);
    let mut older = stage.log_in("A at the first", a, 0)?;
    let mut newer = stage.log_in("A at the last", a, other)?;
    let patience = stage.patience;
    older.wait_for_end(patience, &mut stage.transcript)?;
    stage.say(&mut newer, &json!({"type": "PING"}))?;
    stage.wait(&mut newer, "PONG", |frame| frame["type"] == "PONG")?;
    Ok(())
}
