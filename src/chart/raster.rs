//! A small image of coloured cells inside a chart.

use plotters::style::RGBColor;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};

/// Cells of one colour each, row by row from the top.
#[derive(Debug)]
pub(super) struct Raster {
    pixels: Pixmap,
    png: Vec<u8>,
}

impl Raster {
    /// An image `columns` wide of all of `cells`; there is at least one column.
    ///
    /// # Panics
    /// When there is no cell, or the last row is not whole: the chart that asks is wrong.
    pub(super) fn new(columns: usize, cells: &[RGBColor]) -> Self {
        assert!(columns > 0 && !cells.is_empty() && cells.len().is_multiple_of(columns));
        let rows = (cells.len() / columns) as u32;
        let mut pixels = Pixmap::new(columns as u32, rows).expect("a raster has a size");
        for (pixel, &RGBColor(red, green, blue)) in pixels.pixels_mut().iter_mut().zip(cells) {
            *pixel = PremultipliedColorU8::from_rgba(red, green, blue, u8::MAX)
                .expect("an opaque colour is always premultiplied");
        }
        let png = pixels.encode_png().expect("encoding into memory cannot fail");
        Self { pixels, png }
    }

    /// The pixels.
    pub(super) fn pixmap(&self) -> &Pixmap {
        &self.pixels
    }

    /// Length of the image as a PNG file, in bytes.
    pub(super) fn size(&self) -> usize {
        self.png.len()
    }

    /// The image as a PNG that an SVG can hold.
    pub(super) fn data_uri(&self) -> String {
        format!("data:image/png;base64,{}", base64(&self.png))
    }
}

/// Base 64 (RFC 4648 section 4), padded.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - group.len()));
        for digit in 0..4 {
            let shown = digit <= group.len();
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if shown { char::from(DIGITS[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: base 64 as RFC 4648 section 10 has it. Method: its test vectors.
    #[test]
    fn base64_gives_the_test_vectors_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_raster_is_a_png_of_its_cells() {
        let raster = Raster::new(2, &[RGBColor(1, 2, 3); 6]);
        assert_eq!((raster.pixmap().width(), raster.pixmap().height()), (2, 3));
        assert!(raster.data_uri().starts_with("data:image/png;base64,iVBORw0KGgo"));
        assert!(raster.size() > 60);
    }
}
