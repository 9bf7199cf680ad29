//! From bytes to messages.

use std::ops::ControlFlow;
use std::str;

use crate::header::{Header, Opcode};
use crate::mask;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads unmasked frames.
    Client,
    /// Reads masked frames.
    Server,
}

/// What the peer said. Fragments have been put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// Wants a pong with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping, or an unasked sign of life.
    Pong(&'a [u8]),
    /// The peer closes: its code, if it gave one, and its reason.
    Close(Option<u16>, &'a str),
}

/// The peer broke the protocol; the connection can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A bit that belongs to an extension nobody agreed on.
    #[error("a frame has reserved bits set (compressed, though compression was not agreed on?)")]
    ReservedBits,
    /// An opcode that does not exist.
    #[error("a frame has a reserved opcode")]
    ReservedOpcode,
    /// A length that could have been written shorter, or is beyond 63 bits.
    #[error("a frame's length is not in its shortest form")]
    LengthForm,
    /// A control frame that is fragmented or longer than 125 bytes.
    #[error("a control frame is fragmented or too long")]
    ControlFrame,
    /// A client's frame without a mask, or a server's frame with one.
    #[error("a frame is masked where it must not be, or the other way round")]
    Mask,
    /// A continuation without a beginning, or a new message inside another.
    #[error("fragments of messages are out of order")]
    Fragments,
    /// Text that is not UTF-8.
    #[error("a text message is not UTF-8")]
    Utf8,
    /// A close frame with one byte, or a code that must not be sent.
    #[error("a close frame is malformed")]
    Close,
    /// More than this end accepts.
    #[error("a message is larger than the limit")]
    TooLarge,
}

impl ProtocolError {
    /// The code to close the connection with (RFC 6455, 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Utf8 => 1007,
            Self::TooLarge => 1009,
            _ => 1002,
        }
    }
}

/// The reading half of a connection. Between frames it owns no memory.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    /// The most bytes of one message.
    limit: u32,
    /// What a fragmented message is.
    fragmented: Option<Opcode>,
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    /// The fragments so far.
    message: Vec<u8>,
}

impl Decoder {
    /// A decoder at the beginning of a connection. Messages of more than `limit` bytes
    /// are refused.
    pub fn new(role: Role, limit: u32) -> Self {
        Self { role, limit, fragmented: None, partial: Vec::new(), message: Vec::new() }
    }

    /// Takes bytes as they came from the socket and calls `on` with each message, in
    /// order. When `on` breaks, the bytes after that message are kept and come first in
    /// the next call, which may be made with no new bytes at all. The buffer's content
    /// is undefined afterwards.
    ///
    /// After an error the decoder must not be used again.
    pub fn feed(
        &mut self,
        bytes: &mut [u8],
        mut on: impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<(), ProtocolError> {
        if self.partial.is_empty() {
            let used = self.frames(bytes, &mut on)?;
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend_from_slice(bytes);
            let used = self.frames(&mut partial, &mut on)?;
            partial.drain(..used);
            if !partial.is_empty() {
                self.partial = partial;
            }
        }
        Ok(())
    }

    /// Whether bytes wait that a broken-off [`feed`](Self::feed) left, or that are the
    /// beginning of a frame.
    pub fn has_bytes(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Handles whole frames at the beginning of `bytes` and returns how many bytes they
    /// were.
    fn frames(
        &mut self,
        bytes: &mut [u8],
        on: &mut impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<usize, ProtocolError> {
        let mut used = 0;
        while let Some(header) = Header::read(&bytes[used..])? {
            self.check(&header)?;
            let start = used + header.length;
            let end = start + header.payload;
            let Some(payload) = bytes.get_mut(start..end) else {
                break;
            };
            if let Some(key) = header.mask {
                mask::apply(payload, key);
            }
            used = end;
            if self.frame(&header, payload, on)?.is_break() {
                break;
            }
        }
        Ok(used)
    }

    fn check(&self, header: &Header) -> Result<(), ProtocolError> {
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(ProtocolError::Mask);
        }
        if header.payload + self.message.len() > self.limit as usize && !header.opcode.is_control()
        {
            return Err(ProtocolError::TooLarge);
        }
        let continues = header.opcode == Opcode::Continuation;
        if !header.opcode.is_control() && continues != self.fragmented.is_some() {
            return Err(ProtocolError::Fragments);
        }
        Ok(())
    }

    fn frame(
        &mut self,
        header: &Header,
        payload: &[u8],
        on: &mut impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ProtocolError> {
        match header.opcode {
            Opcode::Ping => Ok(on(Message::Ping(payload))),
            Opcode::Pong => Ok(on(Message::Pong(payload))),
            Opcode::Close => close(payload).map(on),
            Opcode::Text | Opcode::Binary if header.fin => data(header.opcode, payload).map(on),
            Opcode::Text | Opcode::Binary => {
                self.fragmented = Some(header.opcode);
                self.message.extend_from_slice(payload);
                Ok(ControlFlow::Continue(()))
            }
            Opcode::Continuation => {
                self.message.extend_from_slice(payload);
                if !header.fin {
                    return Ok(ControlFlow::Continue(()));
                }
                let opcode = self.fragmented.take().ok_or(ProtocolError::Fragments)?;
                let message = std::mem::take(&mut self.message);
                data(opcode, &message).map(on)
            }
        }
    }
}

fn data(opcode: Opcode, payload: &[u8]) -> Result<Message<'_>, ProtocolError> {
    if opcode == Opcode::Binary {
        return Ok(Message::Binary(payload));
    }
    str::from_utf8(payload).map(Message::Text).map_err(|_| ProtocolError::Utf8)
}

fn close(payload: &[u8]) -> Result<Message<'_>, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(Message::Close(None, ""))
        } else {
            Err(ProtocolError::Close)
        };
    };
    let code = u16::from_be_bytes(*code);
    // RFC 6455, 7.4: codes below 1000, those that only a program says to itself, and
    // those that nobody has defined never travel.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(ProtocolError::Close);
    }
    let reason = str::from_utf8(reason).map_err(|_| ProtocolError::Utf8)?;
    Ok(Message::Close(Some(code), reason))
}
