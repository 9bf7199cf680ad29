//! The two to fourteen bytes before a frame's payload (RFC 6455, 5.2).

use crate::decoder::ProtocolError;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message before.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the peer is there.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Opcode {
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<[u8; 4]>,
    /// The header's own length, in bytes.
    pub(crate) length: usize,
    /// The payload's length, in bytes.
    pub(crate) payload: usize,
}

impl Header {
    /// Reads a header; none while there are too few bytes.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(ProtocolError::ReservedBits);
        }
        let fin = first & 0x80 != 0;
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(ProtocolError::ReservedOpcode)?;
        let masked = second & 0x80 != 0;
        let (payload, extended) = match second & 0x7f {
            126 => match rest.first_chunk::<2>() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        let shortest = match payload {
            0..126 => 0,
            126..0x1_0000 => 2,
            _ => 8,
        };
        if extended != shortest || payload >> 63 != 0 {
            return Err(ProtocolError::LengthForm);
        }
        if opcode.is_control() && (!fin || payload > 125) {
            return Err(ProtocolError::ControlFrame);
        }
        let mask = match (masked, rest.get(extended..extended + 4)) {
            (false, _) => None,
            (true, Some(key)) => Some([key[0], key[1], key[2], key[3]]),
            (true, None) => return Ok(None),
        };
        let length = 2 + extended + if masked { 4 } else { 0 };
        let payload = usize::try_from(payload).map_err(|_| ProtocolError::TooLarge)?;
        Ok(Some(Self { fin, opcode, mask, length, payload }))
    }
}
