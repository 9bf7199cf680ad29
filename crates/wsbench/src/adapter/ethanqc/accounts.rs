//! Registers the users of a run, logs them in, and brings their conversations into being:
//! before the run, because a server that hashes passwords is slow at it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::adapter::Account;
use crate::http::{self, Request};
use crate::ledger::Cast;
use crate::plan::Plan;

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// The password of all load-test users.
const PASSWORD: &str = "wsbench-load-test-1";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Profile {
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: u64,
}

#[derive(Deserialize)]
struct LoggedIn {
    access_token: String,
    profile: Profile,
}

/// Some answers are in an envelope, some are not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wrapped<T> {
    Inside { data: T },
    Bare(T),
}

impl<T> Wrapped<T> {
    fn into_inner(self) -> T {
        match self {
            Self::Inside { data } | Self::Bare(data) => data,
        }
    }
}

#[derive(Deserialize)]
struct Conversation {
    id: i64,
}

/// An account for every connection of a plan whose connections talk.
pub(in crate::adapter) fn open_accounts(
    plan: &Plan,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Account>, String> {
    let cast = plan.behaviour().cast;
    if !cast.talks() {
        return Ok(Vec::new());
    }
    let gateway = Gateway::of(plan)?;
    let conns = plan.conns as usize;
    let users = in_parallel(conns, progress, |connection, index| {
        log_in(connection, &gateway, plan.user_base + index as u64)
    })?;
    let unit = cast.unit() as usize;
    let conversations = in_parallel(conns / unit, &mut |_, _| {}, |connection, index| {
        let members = &users[index * unit..(index + 1) * unit];
        found(connection, &gateway, members, unit > 2 || matches!(cast, Cast::Groups { .. }))
    })?;
    let account = |(index, (user, token)): (usize, &(u64, String))| Account {
        user: *user,
        token: token.clone(),
        conversation: conversations[index / unit],
    };
    Ok(users.iter().enumerate().map(account).collect())
}

/// Where the gateway is.
struct Gateway {
    address: SocketAddr,
    authority: String,
}

impl Gateway {
    fn of(plan: &Plan) -> Result<Self, String> {
        let authority = plan.http_authority()?;
        let wrong = |why: String| format!("the gateway {authority} (--http-base): {why}");
        let mut found = authority.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
        let address = found.next().ok_or_else(|| wrong("has no address".to_owned()))?;
        Ok(Self { address, authority })
    }
}

/// A kept connection of one thread.
#[derive(Default)]
struct Connection(Option<TcpStream>);

impl Connection {
    fn ask(&mut self, gateway: &Gateway, request: &Request) -> Result<http::Answer, String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", gateway.authority);
        let mut socket = match self.0.take() {
            Some(socket) => socket,
            None => {
                let socket =
                    TcpStream::connect_timeout(&gateway.address, PATIENCE).map_err(wrong)?;
                socket.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
                socket.set_nodelay(true).map_err(wrong)?;
                socket
            }
        };
        let mut bytes = Vec::new();
        request.write(&gateway.authority, &mut bytes);
        socket.write_all(&bytes).map_err(wrong)?;
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let read = socket.read(&mut buffer).map_err(wrong)?;
            received.extend_from_slice(&buffer[..read]);
            let answer = http::read_answer(&received, read == 0)
                .map_err(|error| format!("{}: {error}", gateway.authority))?;
            if let Some(answer) = answer {
                if !answer.closes && read > 0 {
                    self.0 = Some(socket);
                }
                return Ok(answer);
            }
        }
    }
}

fn post(path: &str, token: Option<&str>, body: &serde_json::Value) -> Request {
    Request {
        method: "POST",
        path: path.to_owned(),
        token: token.map(str::to_owned),
        body: body.to_string(),
    }
}

/// Registers a user, or logs in who is registered.
fn log_in(
    connection: &mut Connection,
    gateway: &Gateway,
    number: u64,
) -> Result<(u64, String), String> {
    let name = format!("wsbench_{number}");
    let body = json!({ "username": name, "password": PASSWORD, "display_name": name });
    let mut answer = connection.ask(gateway, &post("/api/auth/register", None, &body))?;
    if answer.status == 400 {
        let body = json!({ "username": name, "password": PASSWORD });
        answer = connection.ask(gateway, &post("/api/auth/login", None, &body))?;
    }
    let logged_in = read::<LoggedIn>(&answer)
        .map_err(|why| format!("{name} can't be registered or logged in: {why}"))?;
    Ok((logged_in.profile.user.id, logged_in.access_token))
}

/// Brings a conversation into being, or finds it.
fn found(
    connection: &mut Connection,
    gateway: &Gateway,
    members: &[(u64, String)],
    is_group: bool,
) -> Result<i64, String> {
    let (_, token) = &members[0];
    let others: Vec<u64> = members[1..].iter().map(|(user, _)| *user).collect();
    let body = json!({
        "type": if is_group { 2 } else { 1 },
        "title": if is_group { "wsbench" } else { "" },
        "member_ids": others,
    });
    let answer = connection.ask(gateway, &post("/api/conversations", Some(token), &body))?;
    let conversation = read::<Conversation>(&answer)
        .map_err(|why| format!("a conversation can't be made: {why}"))?;
    Ok(conversation.id)
}

fn read<T: for<'a> Deserialize<'a>>(answer: &http::Answer) -> Result<T, String> {
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != 200 {
        return Err(format!("the gateway says {} {}", answer.status, text.trim()));
    }
    serde_json::from_slice::<Wrapped<T>>(&answer.body).map(Wrapped::into_inner).map_err(|error| {
        format!("the gateway's answer is not as expected ({error}): {}", text.trim())
    })
}

/// Does something `count` times, several at once, each thread with a connection of its
/// own; the results in order.
fn in_parallel<T: Send>(
    count: usize,
    progress: &mut dyn FnMut(usize, usize),
    work: impl Fn(&mut Connection, usize) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<T>>> = Mutex::new((0..count).map(|_| None).collect());
    let failure: Mutex<Option<String>> = Mutex::new(None);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE.min(count))
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::default();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return;
                        }
                        let result = work(&mut connection, index);
                        let (Ok(mut results), Ok(mut failure)) = (results.lock(), failure.lock())
                        else {
                            return;
                        };
                        match result {
                            Ok(result) => results[index] = Some(result),
                            Err(error) => {
                                failure.get_or_insert(error);
                                // Nobody need begin with the rest.
                                next.store(count, Ordering::Relaxed);
                            }
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            progress(done.load(Ordering::Relaxed), count);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or(None) {
        return Err(error);
    }
    let results = results.into_inner().map_err(|_| "a thread panicked".to_owned())?;
    results.into_iter().collect::<Option<_>>().ok_or_else(|| "a thread ended early".to_owned())
}
