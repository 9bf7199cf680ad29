//! What a measured message carries: who sent it in which run, its place in the sender's
//! stream, when it was meant to be sent and how late it left, and a check over all of it.
//!
//! A stamp is plain ASCII of a character set that no JSON, XML or URL encoder escapes,
//! so it survives servers that know nothing about it, and it can be found inside any
//! frame. The rest of the payload is padding that follows from the stamp, and the check
//! covers it, so a changed byte anywhere is noticed.

use crate::clock::{MICROSECOND, Nanos};

/// The least payload that holds a stamp, in bytes.
pub const STAMP_BYTES: usize = 43;

/// How a stamp begins.
const MAGIC: &[u8; 3] = b"~wb";

/// Sixty-four characters that nobody escapes.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/// The facts of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The run, 24 bits at random, so that leftovers of another run are recognised.
    pub run: u32,
    /// The sender's stream: its index in the plan. At most 30 bits.
    pub stream: u32,
    /// The message's place in the stream, from 1. At most 30 bits.
    pub seq: u32,
    /// When it was meant to be sent: microseconds after the run's origin. At most 42 bits.
    pub intended_us: u64,
    /// How much later it was written, in microseconds. At most 36 bits.
    pub late_us: u64,
}

/// Why a payload is not a message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no stamp in it.
    NoStamp,
    /// There is one, but something was changed.
    Corrupt,
}

/// Where each field is: offset and digits.
const RUN: (usize, usize) = (3, 4);
const STREAM: (usize, usize) = (7, 5);
const SEQ: (usize, usize) = (12, 5);
const INTENDED: (usize, usize) = (17, 7);
const LATE: (usize, usize) = (24, 6);
const LENGTH: (usize, usize) = (30, 4);
const CHECK: (usize, usize) = (34, 6);
/// The stamp ends with three more characters, so that a cut-off check can't look whole.
const TAIL: &[u8; 3] = b"bw~";

impl Stamp {
    /// Writes the stamp and padding into `out`, `bytes` in all.
    pub fn write(&self, out: &mut Vec<u8>, bytes: usize) {
        let bytes = bytes.max(STAMP_BYTES);
        out.clear();
        out.extend_from_slice(MAGIC);
        for (value, (_, digits)) in [
            (u64::from(self.run), RUN),
            (u64::from(self.stream), STREAM),
            (u64::from(self.seq), SEQ),
            (self.intended_us, INTENDED),
            (self.late_us, LATE),
            (bytes as u64, LENGTH),
        ] {
            write_number(out, value, digits);
        }
        let padding = self.seq.wrapping_add(self.stream) as usize;
        let check_at = out.len();
        write_number(out, 0, CHECK.1);
        out.extend_from_slice(TAIL);
        while out.len() < bytes {
            // One run of the alphabet after the other, beginning somewhere else in each
            // message, so that two messages' paddings differ.
            let from = (padding + out.len()) % DIGITS.len();
            let wanted = (bytes - out.len()).min(DIGITS.len() - from);
            out.extend_from_slice(&DIGITS[from..from + wanted]);
        }
        let check = check(out);
        for (place, digit) in out[check_at..check_at + CHECK.1].iter_mut().enumerate() {
            *digit = DIGITS[(check >> (6 * place) & 63) as usize];
        }
    }

    /// Finds a stamped payload in `frame` and reads it.
    pub fn find(frame: &[u8]) -> Result<Self, Unreadable> {
        let start = memchr::memmem::find(frame, MAGIC).ok_or(Unreadable::NoStamp)?;
        Self::read(&frame[start..]).ok_or(Unreadable::Corrupt)
    }

    /// Reads the stamped payload that `bytes` begin with.
    fn read(bytes: &[u8]) -> Option<Self> {
        let field = |(at, digits): (usize, usize)| read_number(bytes.get(at..at + digits)?);
        let length = usize::try_from(field(LENGTH)?).ok()?;
        let payload = bytes.get(..length.max(STAMP_BYTES))?;
        if field(CHECK)? != u64::from(check(payload)) {
            return None;
        }
        Some(Self {
            run: field(RUN)? as u32,
            stream: field(STREAM)? as u32,
            seq: field(SEQ)? as u32,
            intended_us: field(INTENDED)?,
            late_us: field(LATE)?,
        })
    }

    /// When it was meant to be sent.
    pub fn intended(&self, origin: Nanos) -> Nanos {
        origin + self.intended_us * MICROSECOND
    }

    /// When it was written.
    pub fn sent(&self, origin: Nanos) -> Nanos {
        self.intended(origin) + self.late_us * MICROSECOND
    }
}

/// The check over everything but itself.
fn check(payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&payload[..CHECK.0]);
    hasher.update(&payload[CHECK.0 + CHECK.1..]);
    hasher.finalize()
}

fn write_number(out: &mut Vec<u8>, value: u64, digits: usize) {
    for place in 0..digits {
        out.push(DIGITS[(value >> (6 * place) & 63) as usize]);
    }
}

fn read_number(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for (place, digit) in digits.iter().enumerate() {
        let bits = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        value |= u64::from(bits) << (6 * place);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp() -> impl Strategy<Value = Stamp> {
        (0u32..1 << 24, 0u32..1 << 30, 0u32..1 << 30, 0u64..1 << 42, 0u64..1 << 36).prop_map(
            |(run, stream, seq, intended_us, late_us)| Stamp {
                run,
                stream,
                seq,
                intended_us,
                late_us,
            },
        )
    }

    proptest! {
        #[test]
        fn a_stamp_is_found_in_any_frame(stamp in stamp(), bytes in 0usize..400, before in "[ -}]{0,20}") {
            let mut payload = Vec::new();
            stamp.write(&mut payload, bytes);
            prop_assert_eq!(payload.len(), bytes.max(STAMP_BYTES));
            let frame = [before.as_bytes(), &payload, b"\"}"].concat();
            prop_assert_eq!(Stamp::find(&frame), Ok(stamp));
        }

        #[test]
        fn one_changed_byte_anywhere_is_noticed(stamp in stamp(), bytes in 43usize..200, at in 0usize..200, by in 1u8..=255) {
            let mut payload = Vec::new();
            stamp.write(&mut payload, bytes);
            let at = at % payload.len();
            payload[at] ^= by;
            let found = Stamp::find(&payload);
            prop_assert!(found.is_err(), "{:?}", found);
        }

        #[test]
        fn a_cut_payload_is_noticed(stamp in stamp(), bytes in 43usize..200, kept in 0usize..199) {
            let mut payload = Vec::new();
            stamp.write(&mut payload, bytes);
            payload.truncate(kept % payload.len());
            prop_assert!(Stamp::find(&payload).is_err());
        }
    }
}
