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

/// The reading half of a connection. Between messages it owns no memory.
///
/// What it holds is bounded by what has come of one message, never by what a header
/// promises: at most `limit` bytes of a message under way, and the beginning of a header
/// or of a control frame. (Buffers grow by doubling, so twice that is allocated at most.)
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    /// The most bytes of one message.
    limit: u32,
    /// What a message under way is.
    under_way: Option<Opcode>,
    /// The data frame whose payload has not come in full.
    open: Option<OpenFrame>,
    /// What has come of the message under way, unmasked.
    message: Vec<u8>,
    /// How many bytes of `message` are known to be UTF-8.
    checked: u32,
    /// The last call was broken off and left bytes in `waiting`.
    broken_off: bool,
    /// How many bytes of `waiting` have been handled.
    handled: usize,
    /// The beginning of a header or a control frame, or what a broken-off call left.
    waiting: Vec<u8>,
}

/// A data frame that is being received.
#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    fin: bool,
    /// The mask, turned so that it fits the next byte.
    mask: Option<[u8; 4]>,
    /// How many bytes of the payload are still to come. Never 0.
    missing: usize,
}

impl Decoder {
    /// A decoder at the beginning of a connection. Messages of more than `limit` bytes
    /// are refused.
    pub fn new(role: Role, limit: u32) -> Self {
        Self {
            role,
            limit,
            under_way: None,
            open: None,
            message: Vec::new(),
            checked: 0,
            broken_off: false,
            handled: 0,
            waiting: Vec::new(),
        }
    }

    /// Takes bytes that were read before there was a decoder. The next call of
    /// [`feed`](Self::feed) looks at them first.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        self.broken_off = !self.waiting.is_empty();
    }

    /// Takes bytes as they came from the socket and calls `on` with each message, in
    /// order. When `on` breaks, the bytes after that message are kept and come first in
    /// the next call, which may be made with no new bytes at all. The buffer's content
    /// is undefined afterwards.
    ///
    /// What is wrong is told as soon as it can be known: a header when it is complete,
    /// text at the first byte that cannot be UTF-8.
    ///
    /// After an error the decoder must not be used again.
    pub fn feed(
        &mut self,
        bytes: &mut [u8],
        mut on: impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<(), ProtocolError> {
        self.broken_off = false;
        if self.waiting.is_empty() {
            let used = self.frames(bytes, &mut on)?;
            self.waiting = bytes[used..].to_vec();
        } else {
            let mut waiting = std::mem::take(&mut self.waiting);
            let mut handled = std::mem::take(&mut self.handled);
            if !bytes.is_empty() {
                waiting.drain(..handled);
                waiting.extend_from_slice(bytes);
                handled = 0;
            }
            handled += self.frames(&mut waiting[handled..], &mut on)?;
            if self.broken_off && handled < waiting.len() {
                // Not moved: the next call may take just one more message.
                self.waiting = waiting;
                self.handled = handled;
            } else {
                // Little, or nothing: the large buffer is not kept for it.
                self.waiting = waiting[handled..].to_vec();
            }
        }
        self.broken_off &= !self.waiting.is_empty();
        Ok(())
    }

    /// Whether there are bytes that a call of [`feed`](Self::feed) without new ones would
    /// look at.
    pub fn has_bytes(&self) -> bool {
        self.broken_off
    }

    /// How many bytes are held, of whatever kind.
    pub fn bytes_held(&self) -> usize {
        self.message.len() + self.waiting.len()
    }

    /// Handles the frames at the beginning of `bytes` and returns how many bytes of them
    /// are of no more use.
    fn frames(
        &mut self,
        bytes: &mut [u8],
        on: &mut impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<usize, ProtocolError> {
        let mut used = 0;
        loop {
            let flow = if let Some(open) = self.open {
                let here = open.missing.min(bytes.len() - used);
                if here == 0 {
                    return Ok(used);
                }
                let part = &mut bytes[used..used + here];
                used += here;
                self.continue_frame(open, part, on)?
            } else {
                let Some(header) = Header::read(&bytes[used..])? else {
                    return Ok(used);
                };
                self.check(&header)?;
                let start = used + header.length;
                match bytes.get_mut(start..start + header.payload) {
                    Some(payload) => {
                        used = start + header.payload;
                        if let Some(key) = header.mask {
                            mask::apply(payload, key);
                        }
                        self.whole_frame(&header, payload, on)?
                    }
                    None if header.opcode.is_control() => return Ok(used),
                    None => {
                        used = start;
                        self.begin_frame(&header);
                        ControlFlow::Continue(())
                    }
                }
            };
            if flow.is_break() {
                self.broken_off = true;
                return Ok(used);
            }
        }
    }

    fn check(&self, header: &Header) -> Result<(), ProtocolError> {
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(ProtocolError::Mask);
        }
        if header.opcode.is_control() {
            return Ok(());
        }
        if header.payload > (self.limit as usize).saturating_sub(self.message.len()) {
            return Err(ProtocolError::TooLarge);
        }
        let continues = header.opcode == Opcode::Continuation;
        if continues != self.under_way.is_some() {
            return Err(ProtocolError::Fragments);
        }
        Ok(())
    }

    /// A frame that has come in full: its payload is not copied if it is a whole message.
    fn whole_frame(
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
            opcode => {
                if opcode != Opcode::Continuation {
                    self.under_way = Some(opcode);
                }
                self.extend_message(payload, header.fin, on)
            }
        }
    }

    fn begin_frame(&mut self, header: &Header) {
        if header.opcode != Opcode::Continuation {
            self.under_way = Some(header.opcode);
        }
        self.open = Some(OpenFrame { fin: header.fin, mask: header.mask, missing: header.payload });
    }

    fn continue_frame(
        &mut self,
        mut open: OpenFrame,
        part: &mut [u8],
        on: &mut impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ProtocolError> {
        if let Some(key) = &mut open.mask {
            mask::apply(part, *key);
            key.rotate_left(part.len() % 4);
        }
        open.missing -= part.len();
        let is_complete = open.missing == 0;
        self.open = (!is_complete).then_some(open);
        self.extend_message(part, is_complete && open.fin, on)
    }

    fn extend_message(
        &mut self,
        payload: &[u8],
        is_last: bool,
        on: &mut impl FnMut(Message<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ProtocolError> {
        self.message.extend_from_slice(payload);
        if is_last {
            let opcode = self.under_way.take().ok_or(ProtocolError::Fragments)?;
            self.checked = 0;
            let message = std::mem::take(&mut self.message);
            return data(opcode, &message).map(on);
        }
        if self.under_way == Some(Opcode::Text) {
            self.check_utf8_so_far()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The text so far must be the beginning of UTF-8, which may end inside a character.
    fn check_utf8_so_far(&mut self) -> Result<(), ProtocolError> {
        let unchecked = &self.message[self.checked as usize..];
        let valid = match str::from_utf8(unchecked) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(ProtocolError::Utf8),
        };
        // At most `limit`, which is a u32.
        self.checked += valid as u32;
        Ok(())
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
