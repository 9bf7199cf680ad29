//! As much of Protocol Buffers as xzll-im's single chat needs, without copying: fields
//! go out in order, zeros are left out, and what comes in is read as borrows of the frame.

/// The kinds of `ImProtoRequest` and `ImProtoResponse` that matter.
pub(super) const C2C_SEND: u64 = 1;
pub(super) const C2C_ACK: u64 = 2;
pub(super) const C2C_PUSH: u64 = 5;

/// A message on its way up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Send<'a> {
    pub(super) client_msg_id: &'a [u8],
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) content: &'a [u8],
    /// In milliseconds since the Unix epoch.
    pub(super) time: u64,
}

/// `C2CAckReq`, up and down; of a `C2CMsgPush` the fields that it shares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Ack<'a> {
    pub(super) client_msg_id: &'a [u8],
    pub(super) msg_id: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    /// -1 failed, 1 taken by the server, 2 recipient offline, 3 delivered, 4 read.
    pub(super) status: i64,
}

/// A `C2CMsgPush`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Push<'a> {
    pub(super) client_msg_id: &'a [u8],
    pub(super) msg_id: u64,
    pub(super) from: u64,
    pub(super) content: &'a [u8],
}

/// An `ImProtoResponse`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Response<'a> {
    pub(super) kind: u64,
    pub(super) payload: &'a [u8],
    /// 1 is success.
    pub(super) code: i64,
    pub(super) message: &'a [u8],
}

/// Text.
const FORMAT_TEXT: u64 = 1;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_varint(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        varint(out, field << 3 | VARINT);
        varint(out, value);
    }
}

fn put_fixed64(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        varint(out, field << 3 | FIXED64);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        varint(out, field << 3 | BYTES);
        varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// An `ImProtoRequest` around what `write` writes.
fn request(out: &mut Vec<u8>, kind: u64, write: impl FnOnce(&mut Vec<u8>)) {
    out.clear();
    put_varint(out, 1, kind);
    let before = out.len();
    write(out);
    let payload = out.split_off(before);
    put_bytes(out, 2, &payload);
}

impl Send<'_> {
    /// Writes the whole frame. The server gives the message its id.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        request(out, C2C_SEND, |out| {
            put_bytes(out, 1, self.client_msg_id);
            put_fixed64(out, 3, self.from);
            put_fixed64(out, 4, self.to);
            put_varint(out, 5, FORMAT_TEXT);
            put_bytes(out, 6, self.content);
            put_fixed64(out, 7, self.time);
        });
    }
}

impl<'a> Ack<'a> {
    /// Writes the whole frame.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        request(out, C2C_ACK, |out| {
            put_bytes(out, 1, self.client_msg_id);
            put_fixed64(out, 2, self.msg_id);
            put_fixed64(out, 3, self.from);
            put_fixed64(out, 4, self.to);
            put_varint(out, 5, self.status as u64);
        });
    }

    /// Reads a payload.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut ack = Self::default();
        for field in Fields(payload) {
            match field? {
                (1, Value::Bytes(bytes)) => ack.client_msg_id = bytes,
                (2, Value::Number(number)) => ack.msg_id = number,
                (3, Value::Number(number)) => ack.from = number,
                (4, Value::Number(number)) => ack.to = number,
                (5, Value::Number(number)) => ack.status = number as i64,
                _ => {}
            }
        }
        Some(ack)
    }
}

impl<'a> Push<'a> {
    /// Reads a payload.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut push = Self::default();
        for field in Fields(payload) {
            match field? {
                (1, Value::Bytes(bytes)) => push.client_msg_id = bytes,
                (2, Value::Number(number)) => push.msg_id = number,
                (3, Value::Number(number)) => push.from = number,
                (6, Value::Bytes(bytes)) => push.content = bytes,
                _ => {}
            }
        }
        Some(push)
    }
}

impl<'a> Response<'a> {
    /// Reads a frame.
    pub(super) fn read(frame: &'a [u8]) -> Option<Self> {
        let mut response = Self::default();
        for field in Fields(frame) {
            match field? {
                (1, Value::Number(number)) => response.kind = number,
                (2, Value::Bytes(bytes)) => response.payload = bytes,
                // Negative numbers of 32 bits are written with 64.
                (3, Value::Number(number)) => response.code = number as i64,
                (4, Value::Bytes(bytes)) => response.message = bytes,
                _ => {}
            }
        }
        Some(response)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message. None is one that can't be read, and the last.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            VARINT => Value::Number(self.varint()?),
            FIXED64 => Value::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            BYTES => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            FIXED32 => Value::Number(u32::from_le_bytes(self.take(4)?.try_into().ok()?).into()),
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for place in 0..10 {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: [u8; 16] = [
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
        0xff,
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Encoded by hand from the server's .proto file.
    #[test]
    fn frames_have_the_bytes_of_the_vectors() {
        let mut out = Vec::new();
        let send = Send {
            client_msg_id: &UUID,
            from: 162_820_915_201,
            to: 162_820_915_202,
            content: b"hello",
            time: 1_800_000_000_123,
        };
        send.write(&mut out);
        assert_eq!(
            hex(&out),
            "080112360a1000112233445566778899aabbccddeeff190100e2e825000000210200e2e8250000002801320568656c6c6f397b505c18a3010000"
        );
        let ack = Ack {
            client_msg_id: &UUID,
            msg_id: 123_456_789,
            from: 162_820_915_202,
            to: 162_820_915_201,
            status: 3,
        };
        ack.write(&mut out);
        assert_eq!(
            hex(&out),
            "0802122f0a1000112233445566778899aabbccddeeff1115cd5b0700000000190200e2e825000000210100e2e8250000002803"
        );
        let response = Response::read(&out).unwrap();
        assert_eq!(response.kind, C2C_ACK);
        assert_eq!(Ack::read(response.payload), Some(ack));
    }

    #[test]
    fn failures_are_negative() {
        let frame = [8, 2, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Response::read(&frame).unwrap().code, -1);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(response) = Response::read(&bytes) {
                let _ = (Ack::read(response.payload), Push::read(response.payload));
            }
        }

        #[test]
        fn acks_are_read_back(msg_id: u64, from: u64, to: u64, status in -1i64..5) {
            let mut out = Vec::new();
            let ack = Ack { client_msg_id: &UUID, msg_id, from, to, status };
            ack.write(&mut out);
            prop_assert_eq!(Ack::read(Response::read(&out).unwrap().payload), Some(ack));
        }
    }
}
