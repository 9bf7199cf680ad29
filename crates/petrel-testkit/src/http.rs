//! Asking the HTTP API.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use petrel_protocol::http::{Credentials, Failure, LoggedIn, Success};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use crate::PATIENCE;

/// One HTTP port.
#[derive(Clone, Debug)]
pub struct Http {
    address: SocketAddr,
    agent: Agent,
}

/// What it answered, whatever the status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What it answered, when that need not be text.
#[derive(Clone, Debug)]
pub struct Download {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Http {
    /// Of a port.
    pub fn new(address: SocketAddr) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { address, agent }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.request("GET", path, &[], "").await
    }

    /// `GET` as the bearer of a token.
    pub async fn get_as(&self, token: &str, path: &str) -> Result<Answer> {
        let bearer = format!("Bearer {token}");
        self.request("GET", path, &[("authorization", &bearer)], "").await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &str) -> Result<Answer> {
        self.request("POST", path, &[("content-type", "application/json")], body).await
    }

    /// `POST` of a JSON body as the bearer of a token.
    pub async fn post_as(&self, token: &str, path: &str, body: &str) -> Result<Answer> {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.request("POST", path, &headers, body).await
    }

    /// `DELETE` as the bearer of a token.
    pub async fn delete_as(&self, token: &str, path: &str) -> Result<Answer> {
        let bearer = format!("Bearer {token}");
        self.request("DELETE", path, &[("authorization", &bearer)], "").await
    }

    /// Trades a refresh token for the next one.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Answer> {
        let body = serde_json::json!({ "refreshToken": refresh_token }).to_string();
        self.post("/api/auth/refresh", &body).await
    }

    /// Any request whose answer is text.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer> {
        let Download { status, headers, bytes } =
            self.exchange(method, path, headers, body.as_bytes()).await?;
        Ok(Answer { status, headers, body: String::from_utf8(bytes)? })
    }

    /// Any request, of bytes for bytes. The blocking client runs on a thread for blocking
    /// work.
    pub async fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Download> {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec())?;
        let agent = self.agent.clone();
        let what = format!("{method} {path}");
        tokio::task::spawn_blocking(move || {
            let mut response = agent.run(request).context(what)?;
            Ok(Download {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                bytes: response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec()?,
            })
        })
        .await?
    }

    /// Registers a user.
    pub async fn register(&self, username: &str, password: &str) -> Result<Answer> {
        self.post("/api/auth/register", &credentials(username, password)?).await
    }

    /// Logs a user in.
    pub async fn login(&self, username: &str, password: &str) -> Result<Answer> {
        self.post("/api/auth/login", &credentials(username, password)?).await
    }

    /// Registers a user who must be new.
    pub async fn new_user(&self, username: &str) -> Result<LoggedIn> {
        self.register(username, "correct horse").await?.data()
    }
}

impl Download {
    /// A header, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same, of text.
    pub fn text(self) -> Result<Answer> {
        let Self { status, headers, bytes } = self;
        Ok(Answer { status, headers, body: String::from_utf8(bytes)? })
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {self:?}"))
    }

    /// The data of a success.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        ensure!(self.status == 200, "no success: {self:?}");
        let success: Success<T> =
            serde_json::from_str(&self.body).with_context(|| format!("no success: {self:?}"))?;
        ensure!(
            (success.code, success.message.as_str()) == (0, "ok"),
            "a success that says otherwise: {self:?}"
        );
        Ok(success.data)
    }

    /// The body of a failure, whose parts must agree with each other.
    pub fn failure(&self) -> Result<Failure> {
        let failure: Failure =
            serde_json::from_str(&self.body).with_context(|| format!("no failure: {self:?}"))?;
        let reason = failure.reason;
        ensure!(
            (self.status, failure.code) == (reason.http_status(), reason.code()),
            "status, code and reason don't agree: {self:?}"
        );
        ensure!(
            !failure.message.is_empty() && !failure.request_id.is_empty(),
            "a failure without words: {self:?}"
        );
        Ok(failure)
    }

    /// A header, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn credentials(username: &str, password: &str) -> Result<String> {
    Ok(serde_json::to_string(&Credentials {
        username: username.to_owned(),
        password: password.to_owned(),
        ..Credentials::default()
    })?)
}
