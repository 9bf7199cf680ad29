//! Masking, which is the same operation in both directions (RFC 6455, 5.3).

/// XORs `data` with `key`, repeated.
pub(crate) fn apply(data: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let mut chunks = data.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let bytes: [u8; 8] = (&*chunk).try_into().expect("chunks of eight");
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    // Eight is a multiple of four, so the key starts anew here.
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_masked_like_byte_by_byte() {
        let key = [0xa1, 0x02, 0x33, 0xff];
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).collect();
            let mut masked = plain.clone();
            apply(&mut masked, key);
            for (index, byte) in masked.iter().enumerate() {
                assert_eq!(*byte, plain[index] ^ key[index % 4]);
            }
            apply(&mut masked, key);
            assert_eq!(masked, plain);
        }
    }
}
