//! Smoke tests of an IM server: the behaviours that mini-im's own smoke tests look for,
//! each passed, failed or skipped with a reason, and with every frame that was said.
//!
//! They speak the vocabulary that mini-im and Petrel share. The behaviours of a cluster
//! take two targets of one system.

mod behaviours;
mod client;
mod cluster;
mod transcript;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use petrel_protocol::token::{BENCH_ISSUER, Claims, Secret};
use petrel_types::{Clock, SystemClock, UserId};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapter::{AdapterKind, load_key};
use crate::plan::{Language, Plan};
use crate::scenario::Help;
use crate::target::Target;
use client::Client;
pub use transcript::Step;
use transcript::Transcript;

/// The version of the result's form.
const FORM: &str = "wsbench.smoke/1.0";
/// The secret and the issuer of a mini-im that nobody has configured.
const MINI_IM_SECRET: &str = "change-me-please-change-me-please-change-me";
const MINI_IM_ISSUER: &str = "mini-im";
/// How long a token lasts that is not to expire, in seconds.
const TOKEN_SECONDS: u64 = 3600;
/// Users of one run.
const USERS_PER_RUN: u64 = 64;

/// The line of the list of scenarios.
pub const SUMMARY: &str =
    "the behaviours of an IM server, passed or failed, one or several targets";

/// The long description.
pub const HELP: Help = Help {
    does: "Takes the behaviours one after the other, with users of its own for each: basic (send, \
           ack, delivery, receipt), idempotency, offline_drop_and_recover, \
           cron_resend_no_ack_receive, auth_chain, friend_request; with several targets also \
           cluster_single, cluster_group and cluster_single_login, between the first and the \
           last. --only takes some of them.",
    measures: "Nothing: each passes, fails with what was missing, or is skipped with the reason. \
               --output json has every frame of every step, tokens masked.",
    passes: "No behaviour fails. Exit code 4 if one does.",
    example: "wsbench smoke --target ws://localhost:8084/ws --output json",
};

/// What became of a behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Result_ {
    /// All of it is so.
    Passed,
    /// Something is not.
    Failed,
    /// The server does not have it, or more is needed to see it.
    Skipped,
}

/// One behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Behaviour {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub result: Result_,
    /// Why, if it did not pass.
    pub reason: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was said and heard.
    pub steps: Vec<Step>,
}

/// The result of a smoke test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Smoke {
    /// The version of this form.
    pub form: String,
    /// No behaviour failed.
    pub ok: bool,
    /// Where.
    pub targets: Vec<String>,
    /// Which protocol.
    pub adapter: String,
    /// All behaviours, in order.
    pub behaviours: Vec<Behaviour>,
}

/// Why a behaviour did not pass.
enum Stop {
    Failed(String),
    Skipped(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

type Done = Result<(), Stop>;

/// What a behaviour has to work with.
struct Stage<'a> {
    adapter: AdapterKind,
    targets: &'a [Target],
    tls: Option<Arc<ClientConfig>>,
    secret: &'a Secret,
    issuer: &'a str,
    first_user: u64,
    run: u32,
    names: u32,
    patience: Duration,
    transcript: Transcript,
}

impl Stage<'_> {
    fn token(&self, user: u64, seconds: u64) -> String {
        let user = UserId::new(user);
        let mut claims = Claims::access(self.issuer, user, SystemClock.now(), seconds);
        claims.jti = Some(format!("wsbench-smoke-{user}"));
        self.secret.sign(&claims)
    }

    /// A user of this behaviour.
    fn user(&self, number: u64) -> u64 {
        self.first_user + number
    }

    /// A name that no message has had.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("smoke-{:08x}-{}-{}", self.run, self.first_user, self.names)
    }

    fn connect(&mut self, who: &str, target: usize) -> Result<Client, String> {
        let target = &self.targets[target];
        Client::connect(who, target, self.tls.as_ref(), self.patience, &mut self.transcript)
    }

    /// Connects and logs in, as clients made for mini-im do.
    fn log_in(&mut self, who: &str, user: u64, target: usize) -> Result<Client, String> {
        let mut client = self.connect(who, target)?;
        let token = self.token(user, TOKEN_SECONDS);
        self.say(&mut client, &json!({"type": "AUTH", "token": token, "deviceId": "smoke"}))?;
        self.wait(&mut client, "AUTH_OK", |frame| frame["type"] == "AUTH_OK")?;
        Ok(client)
    }

    fn say(&mut self, client: &mut Client, frame: &Value) -> Result<(), String> {
        client.say(frame, &mut self.transcript)
    }

    fn wait(
        &mut self,
        client: &mut Client,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        client.wait(what, self.patience, &mut self.transcript, wanted)
    }

    /// Sends a message and waits until it is taken. Returns the ack.
    fn send(
        &mut self,
        client: &mut Client,
        to: u64,
        name: &str,
        body: &str,
    ) -> Result<Value, String> {
        let frame =
            json!({"type": "SINGLE_CHAT", "clientMsgId": name, "to": to.to_string(), "body": body});
        self.say(client, &frame)?;
        let ack = self.wait(client, "ACK saved", |frame| {
            frame["clientMsgId"] == name && matches!(frame["type"].as_str(), Some("ACK" | "ERROR"))
        })?;
        if ack["type"] == "ERROR" {
            return Err(format!("the message was refused: {}", ack["reason"]));
        }
        if ack["ackType"] != "saved" || id_of(&ack).is_none() {
            return Err(format!("the ack is not one: {ack}"));
        }
        Ok(ack)
    }

    /// Waits for a message.
    fn receive(&mut self, client: &mut Client, name: &str) -> Result<Value, String> {
        let what = format!("message {name}");
        self.wait(client, &what, |frame| {
            frame["clientMsgId"] == name
                && matches!(frame["type"].as_str(), Some("SINGLE_CHAT" | "GROUP_CHAT"))
        })
    }

    fn acknowledge(
        &mut self,
        client: &mut Client,
        message: &Value,
        kind: &str,
    ) -> Result<(), String> {
        let id = id_of(message).ok_or("the message has no serverMsgId")?;
        let from = message["from"].clone();
        self.say(client, &json!({"type": "ACK", "to": from, "ackType": kind, "serverMsgId": id}))
    }
}

/// The server's id of a message.
fn id_of(frame: &Value) -> Option<String> {
    match &frame["serverMsgId"] {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

type Act = fn(&mut Stage<'_>) -> Done;

/// All behaviours, in order.
const ALL: [(&str, Act); 9] = [
    ("basic", behaviours::basic),
    ("idempotency", behaviours::idempotency),
    ("offline_drop_and_recover", behaviours::offline_drop_and_recover),
    ("cron_resend_no_ack_receive", behaviours::cron_resend_no_ack_receive),
    ("auth_chain", behaviours::auth_chain),
    ("friend_request", behaviours::friend_request),
    ("cluster_single", cluster::single),
    ("cluster_group", cluster::group),
    ("cluster_single_login", cluster::single_login),
];

/// Takes the behaviours of these names, or all of them. `said` hears of each that is over.
pub fn run(
    plan: &Plan,
    only: &[String],
    patience: Duration,
    said: &mut dyn FnMut(&Behaviour),
) -> Result<Smoke, String> {
    if let Some(unknown) = only.iter().find(|name| ALL.iter().all(|(known, _)| known != name)) {
        let known: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no behaviour {unknown:?}; there are {}", known.join(", ")));
    }
    let (secret, issuer) = match plan.adapter {
        AdapterKind::Petrel => {
            let key = load_key(plan.token_key.as_deref(), &plan.data_dir)?;
            (key, BENCH_ISSUER.to_owned())
        }
        AdapterKind::MiniIm => {
            let secret = plan.jwt_secret.as_deref().unwrap_or(MINI_IM_SECRET);
            let secret = Secret::new(secret.as_bytes()).map_err(|error| error.to_string())?;
            (secret, plan.jwt_issuer.clone().unwrap_or_else(|| MINI_IM_ISSUER.to_owned()))
        }
        other => {
            return Err(format!(
                "smoke speaks the vocabulary of petrel and mini-im, not that of {}",
                other.name()
            ));
        }
    };
    let run = fastrand::u32(..) & 0xf_ffff;
    let tls = crate::worker::tls_config_for(plan)?.map(Arc::new);
    let mut behaviours = Vec::new();
    for (number, (name, act)) in (0..).zip(ALL) {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let mut stage = Stage {
            adapter: plan.adapter,
            targets: &plan.targets,
            tls: tls.clone(),
            secret: &secret,
            issuer: &issuer,
            first_user: plan.user_base + u64::from(run) % 100_000 * USERS_PER_RUN + number * 4,
            run,
            names: 0,
            patience,
            transcript: Transcript::new(),
        };
        let began = std::time::Instant::now();
        let (result, reason) = match act(&mut stage) {
            Ok(()) => (Result_::Passed, None),
            Err(Stop::Failed(reason)) => (Result_::Failed, Some(reason)),
            Err(Stop::Skipped(reason)) => (Result_::Skipped, Some(reason)),
        };
        let behaviour = Behaviour {
            name: name.to_owned(),
            result,
            reason,
            took_ms: began.elapsed().as_millis() as u64,
            steps: stage.transcript.steps,
        };
        said(&behaviour);
        behaviours.push(behaviour);
    }
    Ok(Smoke {
        form: FORM.to_owned(),
        ok: behaviours.iter().all(|behaviour| behaviour.result != Result_::Failed),
        targets: plan.targets.iter().map(ToString::to_string).collect(),
        adapter: plan.adapter.name(),
        behaviours,
    })
}

impl Behaviour {
    /// One line for people.
    pub fn line(&self, language: Language) -> String {
        let words = match self.result {
            Result_::Passed => ["ok  ", "通过"],
            Result_::Failed => ["FAIL", "失败"],
            Result_::Skipped => ["skip", "跳过"],
        };
        let word = words[usize::from(language == Language::Zh)];
        let reason = self.reason.as_ref().map_or(String::new(), |reason| format!("  {reason}"));
        format!("{word} {:<28} {:>6} ms{reason}", self.name, self.took_ms)
    }
}

impl Smoke {
    /// For people.
    pub fn text(&self, language: Language) -> String {
        let mut text = String::new();
        for behaviour in &self.behaviours {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{}", behaviour.line(language));
        }
        let count =
            |wanted| self.behaviours.iter().filter(|behaviour| behaviour.result == wanted).count();
        let [passed, failed, skipped] =
            [Result_::Passed, Result_::Failed, Result_::Skipped].map(count);
        let _ = match language {
            Language::En => writeln!(text, "\n{passed} passed, {failed} failed, {skipped} skipped"),
            Language::Zh => writeln!(text, "\n通过 {passed}，失败 {failed}，跳过 {skipped}"),
        };
        text
    }
}
