//! Writing frames.

use crate::header::Opcode;
use crate::mask;

/// Appends one unfragmented frame to `out`. A client must give a mask, fresh and
/// unpredictable for each frame; a server must give none.
pub fn encode(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) {
    out.reserve(payload.len() + 14);
    encode_header(out, opcode, payload.len(), mask);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        mask::apply(&mut out[start..], key);
    }
}

/// Appends the header of one unfragmented frame to `out`, for a payload of so many bytes
/// that is written from elsewhere, and is masked already if there is a mask.
pub fn encode_header(out: &mut Vec<u8>, opcode: Opcode, length: usize, mask: Option<[u8; 4]>) {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode.bits());
    match length {
        short @ 0..126 => out.push(mask_bit | short as u8),
        middle @ 126..0x1_0000 => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if let Some(key) = mask {
        out.extend_from_slice(&key);
    }
}

/// The payload of a close frame: the code, and a reason of at most 123 bytes, cut at a
/// character.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(123)]);
    payload
}
