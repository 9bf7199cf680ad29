//! What an operator decides about calls.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TurnConfig;
use super::units::Span;

/// `[calls]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CallsSection {
    /// STUN servers, by which devices learn how they are seen from outside.
    #[schemars(example = ["stun:stun.example.com:3478"])]
    pub stun_urls: Vec<String>,
    /// TURN servers, which relay calls between devices that can't reach each other directly:
    /// coturn with `use-auth-secret`, or others that know its scheme.
    #[schemars(example = ["turn:turn.example.com:3478?transport=udp"])]
    pub turn_urls: Vec<String>,
    /// A file with the secret that is shared with the TURN servers (`static-auth-secret` of
    /// coturn), at least 16 bytes. Needed if there are TURN servers.
    #[schemars(example = &"/etc/petrel/turn-secret")]
    pub turn_secret_file: Option<PathBuf>,
    /// For how long a credential for the TURN servers is good. From 1m to 7d.
    pub turn_credentials_last: Span,
}

impl Default for CallsSection {
    fn default() -> Self {
        Self {
            stun_urls: Vec::new(),
            turn_urls: Vec::new(),
            turn_secret_file: None,
            turn_credentials_last: Span(Duration::from_secs(60 * 60)),
        }
    }
}

impl CallsSection {
    pub(super) fn turn(&self) -> TurnConfig {
        TurnConfig {
            stun_urls: self.stun_urls.clone(),
            turn_urls: self.turn_urls.clone(),
            secret_file: self.turn_secret_file.clone(),
            credentials_last: self.turn_credentials_last.0,
        }
    }

    pub(super) fn contradictions(&self) -> Vec<String> {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut found = Vec::new();
        let lists = [
            ("stun_urls", &self.stun_urls, ["stun:", "stuns:"]),
            ("turn_urls", &self.turn_urls, ["turn:", "turns:"]),
        ];
        for (name, urls, schemes) in lists {
            let is_wrong = |url: &&String| {
                let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
                rest.is_none_or(str::is_empty) || url.contains(char::is_whitespace)
            };
            if let Some(wrong) = urls.iter().find(is_wrong) {
                let [one, other] = schemes;
                found.push(format!(
                    "calls.{name}: {wrong:?} is no such server; write {one}HOST:PORT or \
                     {other}HOST:PORT"
                ));
            }
        }
        if !self.turn_urls.is_empty() && self.turn_secret_file.is_none() {
            found.push(
                "calls.turn_urls need calls.turn_secret_file, the secret that the TURN servers \
                 share"
                    .to_owned(),
            );
        }
        if !(MINUTE..=7 * 24 * 60 * MINUTE).contains(&self.turn_credentials_last.0) {
            found.push("calls.turn_credentials_last must be between 1m and 7d".to_owned());
        }
        found
    }
}
