//! How messages are called on the wire, so that they are found again in answers.

/// How a message is called on the wire: enough to find it again in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageName {
    /// The run.
    pub run: u32,
    /// The sender's stream, by its index in the whole plan.
    pub stream: u32,
    /// The place in the stream.
    pub seq: u32,
}

impl MessageName {
    /// Writes the name: four characters of run, five of stream, five of seq, and a
    /// leading mark.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(Self::MARK);
        for value in [self.run, self.stream, self.seq] {
            for shift in [28, 24, 20, 16, 12, 8, 4, 0] {
                out.push(b"0123456789abcdef"[(value >> shift & 15) as usize]);
            }
        }
    }

    /// How a name begins.
    const MARK: &[u8; 3] = b"wb-";
    /// How long it is, in bytes.
    pub const BYTES: usize = 27;

    /// Reads a name that is all of `text`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(Self::MARK)?;
        if digits.len() != 24 {
            return None;
        }
        let number = |at: usize| {
            digits[at..at + 8].iter().try_fold(0u32, |value, digit| {
                (*digit as char).to_digit(16).map(|digit| value << 4 | digit)
            })
        };
        Some(Self { run: number(0)?, stream: number(8)?, seq: number(16)? })
    }

    /// Finds a name in `text`.
    pub fn find(text: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(text, Self::MARK)?;
        Self::parse(text.get(at..at + Self::BYTES)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        let name = MessageName { run: 0xabc, stream: u32::MAX, seq: 77 };
        let mut text = b"\"id\":\"".to_vec();
        name.write(&mut text);
        text.extend_from_slice(b"\",");
        assert_eq!(MessageName::find(&text), Some(name));
        assert_eq!(MessageName::parse(&text[6..6 + MessageName::BYTES]), Some(name));
        assert_eq!(MessageName::find(&text[..20]), None);
        assert_eq!(MessageName::parse(b"m1"), None);
    }
}
