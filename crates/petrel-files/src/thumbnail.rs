//! Small pictures of large ones.
//!
//! The picture is decoded within limits on pixels and memory that are checked before anything
//! is allocated, turned as its EXIF data says, and encoded anew from its pixels: nothing of
//! what else was in the file (where it was taken, a preview of what was cut away) gets into
//! the thumbnail.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// The longer side of a thumbnail, in pixels.
pub(crate) const SIDE: u32 = 320;

/// The quality of a JPEG: beyond it pictures of this size grow and look the same.
const QUALITY: u8 = 80;

/// What a pixel may take while a picture is decoded, in bytes: sixteen bits for each of four
/// channels.
const PIXEL_BYTES: u64 = 8;

/// What there is to know of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// As it is shown.
    pub(crate) dimensions: Option<(u32, u32)>,
    /// With its content type; `None` if the picture can't be decoded.
    pub(crate) thumbnail: Option<(&'static str, Vec<u8>)>,
}

/// The formats that are decoded.
pub(crate) fn format(content_type: &str) -> Option<ImageFormat> {
    match content_type {
        "image/png" => Some(ImageFormat::Png),
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/gif" => Some(ImageFormat::Gif),
        "image/webp" => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// Makes a thumbnail of a picture of at most `pixels_max` pixels. Blocks, and takes its time.
pub(crate) fn picture(path: &Path, format: ImageFormat, pixels_max: u64) -> Picture {
    let mut picture = Picture::default();
    if let Err(error) = look(path, format, pixels_max, &mut picture) {
        tracing::debug!(%error, "a picture has no thumbnail");
    }
    picture
}

fn look(
    path: &Path,
    format: ImageFormat,
    pixels_max: u64,
    picture: &mut Picture,
) -> image::ImageResult<()> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(pixels_max.saturating_mul(PIXEL_BYTES));
    let mut reader = ImageReader::with_format(BufReader::new(File::open(path)?), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Ok(());
    }
    picture.dimensions =
        Some(if is_on_its_side(orientation) { (height, width) } else { (width, height) });
    if u64::from(width) * u64::from(height) > pixels_max {
        return Ok(());
    }
    let whole = DynamicImage::from_decoder(decoder)?;
    let mut small = if width.max(height) > SIDE { whole.thumbnail(SIDE, SIDE) } else { whole };
    small.apply_orientation(orientation);
    picture.thumbnail = Some(encode(&small)?);
    Ok(())
}

/// As JPEG, unless something can be seen through it.
fn encode(small: &DynamicImage) -> image::ImageResult<(&'static str, Vec<u8>)> {
    let mut bytes = Cursor::new(Vec::new());
    if small.color().has_alpha() {
        DynamicImage::from(small.to_rgba8()).write_to(&mut bytes, ImageFormat::Png)?;
        return Ok(("image/png", bytes.into_inner()));
    }
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    DynamicImage::from(small.to_rgb8()).write_with_encoder(encoder)?;
    Ok(("image/jpeg", bytes.into_inner()))
}

fn is_on_its_side(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    const MANY: u64 = 50_000_000;

    /// A JPEG that is red on the left, blue on the right, and says in its EXIF data that it
    /// lies on its side and was made by `secret camera`.
    pub(crate) fn sideways() -> Vec<u8> {
        let image =
            RgbImage::from_fn(
                64,
                32,
                |x, _| {
                    if x < 32 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }
                },
            );
        let mut jpeg = Cursor::new(Vec::new());
        image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        let jpeg = jpeg.into_inner();
        // TIFF 6.0: a header and one directory of two entries, orientation 6 and maker.
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
        exif.extend(b"\x0f\x01\x02\0\x0e\0\0\0\x26\0\0\0");
        exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0");
        exif.extend(b"\0\0\0\0secret camera\0");
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
    }

    fn seen(bytes: &[u8], format: ImageFormat, pixels_max: u64) -> Picture {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("picture");
        std::fs::write(&path, bytes).unwrap();
        picture(&path, format, pixels_max)
    }

    #[test]
    fn a_picture_is_turned_and_nothing_else_of_it_is_kept() {
        let whole = sideways();
        assert!(whole.windows(6).any(|window| window == b"secret"));
        let picture = seen(&whole, ImageFormat::Jpeg, MANY);
        assert_eq!(picture.dimensions, Some((32, 64)));
        let (content_type, bytes) = picture.thumbnail.unwrap();
        assert_eq!(content_type, "image/jpeg");
        assert!(!bytes.windows(6).any(|window| window == b"secret" || window == b"Exif\0\0"));
        let small = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(small.dimensions(), (32, 64));
        // A quarter turn to the right brings what was on the left to the top.
        assert!(small.get_pixel(16, 8)[0] > 200 && small.get_pixel(16, 56)[2] > 200);
    }

    #[test]
    fn a_large_picture_becomes_small_and_a_transparent_one_stays_so() {
        let image = RgbaImage::from_pixel(1000, 500, Rgba([1, 2, 3, 0]));
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, ImageFormat::Png).unwrap();
        let picture = seen(&png.into_inner(), ImageFormat::Png, MANY);
        assert_eq!(picture.dimensions, Some((1000, 500)));
        let (content_type, bytes) = picture.thumbnail.unwrap();
        assert_eq!(content_type, "image/png");
        let small = image::load_from_memory(&bytes).unwrap();
        assert_eq!((small.width(), small.height()), (SIDE, SIDE / 2));
        assert_eq!(small.to_rgba8().get_pixel(0, 0)[3], 0);
    }

    #[test]
    fn a_bomb_is_not_decoded() {
        // Says that it has 60,000 times 60,000 pixels, 14 GB of them.
        let mut png = Cursor::new(Vec::new());
        RgbImage::new(8, 8).write_to(&mut png, ImageFormat::Png).unwrap();
        let mut bomb = png.into_inner();
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let crc = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        let picture = seen(&bomb, ImageFormat::Png, MANY);
        assert_eq!(picture.thumbnail, None);
        let large = seen(&sideways(), ImageFormat::Jpeg, 64 * 32 - 1);
        assert_eq!(large, Picture { dimensions: Some((32, 64)), thumbnail: None });
    }

    #[test]
    fn what_is_broken_has_no_thumbnail_and_does_no_harm() {
        let whole = sideways();
        for length in [0, 2, 20, 200] {
            let picture = seen(&whole[..length], ImageFormat::Jpeg, MANY);
            assert_eq!(picture.thumbnail, None, "{length} bytes");
        }
        assert_eq!(seen(b"not a picture", ImageFormat::WebP, MANY), Picture::default());
    }

    /// The checksum of PNG chunks (ISO 3309).
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        })
    }
}
