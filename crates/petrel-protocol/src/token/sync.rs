//! What a device is given to say, at its next sync, how much it has been told.
//!
//! Opaque to clients. It also says where in an unfinished pass the device is, so that
//! no state is kept for it here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use petrel_types::{Epoch, RowId};

/// What a sync token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncToken {
    /// The epoch of the rows.
    pub epoch: Epoch,
    /// Everything up to this row has been told.
    pub since: RowId,
    /// The pass under way: it tells what changed up to `until`, newest first, and
    /// continues below `before`.
    pub pass: Option<SyncPass>,
}

/// A pass over what has changed, which takes several answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPass {
    /// What changed later is told by the next pass.
    pub until: RowId,
    /// Everything from this row on has been told in this pass.
    pub before: RowId,
}

impl SyncToken {
    /// The version of the token's form, its first byte.
    const VERSION: u8 = 1;

    /// The text for the client.
    pub fn encode(&self) -> String {
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

    /// Reads what a client sent; `None` if it is no such token.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (words, odd) = rest.as_chunks::<8>();
        if *version != Self::VERSION || !odd.is_empty() {
            return None;
        }
        let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let (epoch, since, pass) = match words[..] {
            [epoch, since] => (epoch, since, None),
            [epoch, since, until, before] => (
                epoch,
                since,
                Some(SyncPass { until: RowId::new(until), before: RowId::new(before) }),
            ),
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
        let pass = SyncPass { until: RowId::new(9), before: RowId::new(7) };
        for pass in [None, Some(pass)] {
            let token = SyncToken { epoch: Epoch::new(u64::MAX), since: RowId::new(3), pass };
            assert_eq!(SyncToken::decode(&token.encode()), Some(token));
        }
    }

    #[test]
    fn anything_else_is_no_sync_token() {
        let good = SyncToken { epoch: Epoch::new(1), since: RowId::new(2), pass: None }.encode();
        for bad in ["", "AA", "%", &good[1..], &format!("{good}AAAA")] {
            assert_eq!(SyncToken::decode(bad), None, "{bad:?}");
        }
    }
}
