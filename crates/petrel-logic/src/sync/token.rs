//! What a device is given to say, at its next sync, how much it has been told.
//!
//! Opaque to clients. It also says where in an unfinished pass the device is, so that
//! no state is kept for it here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use petrel_protocol::ErrorReason;
use petrel_types::{Epoch, RowId};

use crate::Refusal;

/// What a sync token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyncToken {
    pub(super) epoch: Epoch,
    /// Everything up to this row has been told.
    pub(super) since: RowId,
    /// The pass under way: it tells what changed up to `until`, newest first, and
    /// continues below `before`.
    pub(super) pass: Option<Pass>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) until: RowId,
    pub(super) before: RowId,
}

impl SyncToken {
    /// The version of the token's form, its first byte.
    const VERSION: u8 = 1;

    pub(super) fn encode(&self) -> String {
        let mut bytes = vec![Self::VERSION];
        let mut put = |value: u64| bytes.extend_from_slice(&value.to_be_bytes());
        put(self.epoch.get());
        put(self.since.get());
        if let Some(pass) = self.pass {
            put(pass.until.get());
            put(pass.before.get());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn decode(text: &str) -> Result<Self, Refusal> {
        Self::read(text).ok_or_else(|| {
            Refusal::new(
                ErrorReason::BadSyncToken,
                "this sync token was not made by this system; sync without one",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (words, odd) = rest.as_chunks::<8>();
        if *version != Self::VERSION || !odd.is_empty() {
            return None;
        }
        let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let (epoch, since, pass) = match words[..] {
            [epoch, since] => (epoch, since, None),
            [epoch, since, until, before] => {
                (epoch, since, Some(Pass { until: RowId::new(until), before: RowId::new(before) }))
            }
            _ => return None,
        };
        Some(Self { epoch: Epoch::new(epoch), since: RowId::new(since), pass })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_token_comes_back_as_it_was() {
        let pass = Pass { until: RowId::new(9), before: RowId::new(7) };
        for pass in [None, Some(pass)] {
            let token = SyncToken { epoch: Epoch::new(u64::MAX), since: RowId::new(3), pass };
            assert_eq!(SyncToken::decode(&token.encode()).unwrap(), token);
        }
    }

    #[test]
    fn anything_else_is_no_sync_token() {
        let good = SyncToken { epoch: Epoch::new(1), since: RowId::new(2), pass: None }.encode();
        for bad in ["", "AA", "%", &good[1..], &format!("{good}AAAA")] {
            let refusal = SyncToken::decode(bad).unwrap_err();
            assert_eq!(refusal.reason, ErrorReason::BadSyncToken, "{bad:?}");
        }
    }
}
