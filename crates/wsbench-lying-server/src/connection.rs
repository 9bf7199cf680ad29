//! One connection: honest, but for its faults.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::faults::{Fault, Faults};
use crate::people::People;

/// Frames that may wait for one connection.
const WAITING_MAX: usize = 100_000;
/// How long a message waits for the one it is to change places with.
const SWAP_PATIENCE: Duration = Duration::from_millis(500);

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Out {
    /// At once, or so long after this moment.
    Frame(String, Option<(Instant, Duration, Option<Fault>)>),
    /// To change places with the next frame of this kind.
    Swapped(String),
    /// The connection is reset.
    Reset,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request_ {
    Login { user: String },
    Join { group: String },
    Send { to: Option<String>, group: Option<String>, id: String, body: String },
    Ping { token: String },
}

/// Serves one connection to its end.
pub(crate) async fn serve(socket: TcpStream, people: Arc<People>, faults: Arc<Faults>) {
    if faults.of_connection().is_some() {
        faults.log(Fault::SlowAccept);
        tokio::time::sleep(Duration::from_millis(faults.durations.slow_accept_ms)).await;
    }
    // Without it, small frames wait for acknowledgements of the network.
    let _ = socket.set_nodelay(true);
    if faults.resets() {
        // Then a connection that is dropped is reset and not closed.
        let _ = socket.set_zero_linger();
    }
    let mut is_echo = false;
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let look = |request: &Request, response: Response| {
        is_echo = request.uri().path() == "/echo";
        Ok(response)
    };
    let Ok(stream) = tokio_tungstenite::accept_hdr_async(socket, look).await else {
        return;
    };
    let (outbox, frames) = channel(WAITING_MAX);
    let (sink, mut stream) = stream.split();
    let writer = tokio::spawn(write(sink, frames, faults.clone()));
    let mut me = String::new();
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else {
            if matches!(message, Message::Close(_)) {
                break;
            }
            continue;
        };
        let goes_on = if is_echo {
            echo(&text, &outbox, &faults).await
        } else {
            talk(&text, &mut me, &outbox, &people, &faults).await
        };
        if !goes_on {
            break;
        }
    }
    people.leave(&me, &outbox);
    drop(outbox);
    // It ends with the last frame, or has ended with the connection.
    let _ = writer.await;
}

async fn echo(text: &str, outbox: &Sender<Out>, faults: &Faults) -> bool {
    let fault = faults.of_message();
    deliver(text.to_owned(), text, fault, outbox, faults).await
}

async fn talk(
    text: &str,
    me: &mut String,
    outbox: &Sender<Out>,
    people: &People,
    faults: &Faults,
) -> bool {
    let Ok(request) = serde_json::from_str(text) else {
        return false;
    };
    let say = |value: serde_json::Value| Out::Frame(value.to_string(), None);
    match request {
        Request_::Login { user } => {
            me.clone_from(&user);
            people.arrive(user, outbox.clone());
            outbox.send(say(json!({"type": "welcome"}))).await.is_ok()
        }
        Request_::Join { group } => {
            people.join(group.clone(), me.clone());
            outbox.send(say(json!({"type": "joined", "group": group}))).await.is_ok()
        }
        Request_::Ping { token } => {
            outbox.send(say(json!({"type": "pong", "token": token}))).await.is_ok()
        }
        Request_::Send { to, group, id, body } => {
            let fault = faults.of_message();
            if !answer(id, fault, outbox, faults).await {
                return false;
            }
            if fault == Some(Fault::Reset) {
                faults.log(Fault::Reset);
                return outbox.send(Out::Reset).await.is_err();
            }
            let mut recipients = match (to, group) {
                (Some(to), _) => vec![to],
                (None, Some(group)) => people.others_in(&group, me),
                (None, None) => return false,
            };
            // What happens to a group's message happens to the copy of one member.
            if !recipients.is_empty() {
                let victim = fastrand::usize(..recipients.len());
                recipients.swap(0, victim);
            }
            let frame = json!({"type": "message", "from": me, "body": body}).to_string();
            let mut fault = fault;
            for to in recipients.clone() {
                let fault = fault.take();
                let astray = (fault == Some(Fault::WrongUser))
                    .then(|| people.somebody_else(me, &recipients))
                    .flatten();
                if astray.is_some() {
                    faults.log(Fault::WrongUser);
                }
                let Some(target) = astray.or_else(|| people.outbox_of(&to)) else { continue };
                // A recipient that has gone is no reason to end the sender's connection.
                deliver(frame.clone(), &body, fault, &target, faults).await;
            }
            true
        }
    }
}

/// Acknowledges a message, if its fault lets it.
async fn answer(id: String, fault: Option<Fault>, outbox: &Sender<Out>, faults: &Faults) -> bool {
    if matches!(fault, Some(Fault::Drop | Fault::Reset)) {
        return true;
    }
    let id = if fault == Some(Fault::WrongAnswer) {
        faults.log(Fault::WrongAnswer);
        // A name that nobody gave: the last characters are those of a message number far
        // beyond any.
        format!("{}ffffffff", &id[..id.len().saturating_sub(8)])
    } else {
        id
    };
    let ack = json!({"type": "ack", "id": id}).to_string();
    outbox.send(Out::Frame(ack, None)).await.is_ok()
}

/// Gives a frame with `body` in it to a connection, or does to it what the fault says.
async fn deliver(
    frame: String,
    body: &str,
    fault: Option<Fault>,
    outbox: &Sender<Out>,
    faults: &Faults,
) -> bool {
    let all = faults.durations.delay_all_ms;
    let wait = (all > 0).then(|| (Instant::now(), Duration::from_millis(all), None));
    let plain = |frame| Out::Frame(frame, wait);
    let sent = match fault {
        Some(Fault::Drop | Fault::AckAndDrop) => {
            faults.log(fault.unwrap_or(Fault::Drop));
            return true;
        }
        Some(Fault::Duplicate) => {
            faults.log(Fault::Duplicate);
            outbox.send(plain(frame.clone())).await.and(outbox.send(plain(frame)).await)
        }
        Some(Fault::Reorder) => outbox.send(Out::Swapped(frame)).await,
        Some(Fault::Corrupt) => {
            faults.log(Fault::Corrupt);
            outbox.send(plain(frame.replacen(body, &spoiled(body), 1))).await
        }
        Some(Fault::Delay) => {
            let delay = Duration::from_millis(faults.durations.delay_ms);
            outbox.send(Out::Frame(frame, Some((Instant::now(), delay, fault)))).await
        }
        Some(Fault::Stall) => {
            let since = Instant::now();
            std::thread::sleep(Duration::from_millis(faults.durations.stall_ms));
            faults.log_delay(fault, since.elapsed().as_micros() as u64);
            outbox.send(plain(frame)).await
        }
        Some(Fault::Reset) => {
            faults.log(Fault::Reset);
            outbox.send(Out::Reset).await.and(Err(tokio::sync::mpsc::error::SendError(Out::Reset)))
        }
        _ => outbox.send(plain(frame)).await,
    };
    sent.is_ok()
}

/// The text with one letter changed into another.
fn spoiled(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = fastrand::usize(..letters.len());
    letters[at] = if letters[at] == 'Q' { 'R' } else { 'Q' };
    letters.into_iter().collect()
}

type Sink = futures_util::stream::SplitSink<WebSocketStream<TcpStream>, Message>;

/// Writes what is to be written, in order and in its own time.
async fn write(mut sink: Sink, mut frames: Receiver<Out>, faults: Arc<Faults>) {
    let mut held: Option<String> = None;
    loop {
        let next = match &held {
            None => frames.recv().await,
            Some(_) => match tokio::time::timeout(SWAP_PATIENCE, frames.recv()).await {
                Ok(next) => next,
                Err(_) => {
                    // Nothing came to change places with: no misdeed.
                    let frame = held.take().unwrap_or_default();
                    if sink.send(Message::text(frame)).await.is_err() {
                        return;
                    }
                    continue;
                }
            },
        };
        let frame = match next {
            None => break,
            Some(Out::Reset) => return,
            Some(Out::Swapped(frame)) if held.is_none() => {
                held = Some(frame);
                continue;
            }
            Some(Out::Swapped(frame) | Out::Frame(frame, None)) => frame,
            Some(Out::Frame(frame, Some((since, wait, fault)))) => {
                wait_until(since + wait).await;
                faults.log_delay(fault, since.elapsed().as_micros() as u64);
                frame
            }
        };
        // Acks and the like are no messages: nothing changes places with them.
        let is_message = !frame.contains(r#""type":"ack""#) && !frame.contains(r#""type":"pong""#);
        if sink.send(Message::text(frame)).await.is_err() {
            return;
        }
        if is_message && let Some(frame) = held.take() {
            faults.log(Fault::Reorder);
            if sink.send(Message::text(frame)).await.is_err() {
                return;
            }
        }
    }
}

/// Waits to the microsecond: the runtime's timers count in milliseconds.
async fn wait_until(time: Instant) {
    sleep_until(time - Duration::from_millis(2)).await;
    while Instant::now() < time {
        tokio::task::yield_now().await;
    }
}
