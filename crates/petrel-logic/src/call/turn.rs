//! Credentials for TURN servers, which relay what two devices can't send each other directly.
//!
//! The system and the TURN servers share a secret. The name of a user of theirs says until when
//! it is good, and the password is a message authentication code of the name: so the servers
//! need know nobody. It is the scheme of draft-uberti-behave-turn-rest-00, which coturn calls
//! `use-auth-secret`.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use petrel_protocol::frame::TurnCredentials;
use petrel_types::{TimestampMs, UserId};
use sha1_for_hmac::Sha1;

/// The servers by which devices find and reach each other.
#[derive(Clone, Default)]
pub struct TurnServers {
    /// STUN servers, as `stun:stun.example.com`. They need no credential.
    pub stun_urls: Vec<String>,
    /// TURN servers, as `turn:turn.example.com:3478?transport=udp`.
    pub turn_urls: Vec<String>,
    /// What the system shares with the TURN servers.
    pub secret: Vec<u8>,
    /// For how long a credential is good. One that is used stays good for that connection.
    pub credentials_last: Duration,
}

impl TurnServers {
    /// What a user's device needs, from now on.
    pub fn credentials(&self, user: UserId, now: TimestampMs) -> TurnCredentials {
        let urls = [&self.stun_urls[..], &self.turn_urls[..]].concat();
        let ttl_ms = u64::try_from(self.credentials_last.as_millis()).unwrap_or(u64::MAX);
        if self.turn_urls.is_empty() {
            return TurnCredentials { urls, username: None, credential: None, ttl_ms };
        }
        let expires = now.seconds() + self.credentials_last.as_secs();
        let username = format!("{expires}:{user}");
        let credential = Some(self.credential(&username));
        TurnCredentials { urls, username: Some(username), credential, ttl_ms }
    }

    fn credential(&self, username: &str) -> String {
        let mut code = Hmac::<Sha1>::new_from_slice(&self.secret).expect("any key will do");
        code.update(username.as_bytes());
        STANDARD.encode(code.finalize().into_bytes())
    }
}

impl fmt::Debug for TurnServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnServers")
            .field("stun_urls", &self.stun_urls)
            .field("turn_urls", &self.turn_urls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> TurnServers {
        TurnServers {
            stun_urls: vec!["stun:stun.example.com".to_owned()],
            turn_urls: vec!["turn:turn.example.com".to_owned()],
            secret: b"north".to_vec(),
            credentials_last: Duration::from_secs(3_600),
        }
    }

    /// Made with `printf 1800003600:7 | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn a_credential_is_what_other_programs_make_of_it() {
        let made = servers().credentials(UserId::new(7), TimestampMs::new(1_800_000_000_999));
        assert_eq!(made.urls, ["stun:stun.example.com", "turn:turn.example.com"]);
        assert_eq!(made.username.as_deref(), Some("1800003600:7"));
        assert_eq!(made.credential.as_deref(), Some("MJ0lmPD4VkCBjxrNz1tuoEYtVN8="));
        assert_eq!(made.ttl_ms, 3_600_000);
    }

    #[test]
    fn without_turn_servers_there_is_nothing_secret() {
        let servers = TurnServers { turn_urls: Vec::new(), ..servers() };
        let made = servers.credentials(UserId::new(7), TimestampMs::new(1));
        assert_eq!((made.username, made.credential), (None, None));
        assert_eq!(made.urls.len(), 1);
    }
}
