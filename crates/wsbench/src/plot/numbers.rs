//! Numbers as people read them.

/// A number in about three significant digits and few letters, for axes: `250`, `1.5k`,
/// `0.02`.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let (scaled, suffix) = match size {
        _ if size >= 1e9 => (value / 1e9, "G"),
        _ if size >= 1e6 => (value / 1e6, "M"),
        _ if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{}{suffix}", plain(scaled, 3))
}

/// A number with so many significant digits and no useless zeros.
fn plain(value: f64, digits: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let before = value.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from((digits - before).clamp(0, 9)).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count with its thousands set apart: `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: whole and grouped from a hundred on, with decimals below.
pub fn rate(value: f64) -> String {
    if !value.is_finite() {
        "–".to_owned()
    } else if value >= 100.0 {
        grouped(value.round() as u64)
    } else {
        plain(value, 3)
    }
}

/// Milliseconds, to the microsecond where that is still seen.
pub fn milliseconds(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "–".to_owned(),
        _ if value >= 1000.0 => grouped(value.round() as u64),
        _ if value >= 100.0 => format!("{value:.1}"),
        _ if value >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Bytes in binary units.
pub fn bytes(value: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (value, 0);
    while value.abs() >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", plain(value, 3), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (250.0, "250"),
            (9_999.0, "9999"),
            (15_000.0, "15k"),
            (1_250_000.0, "1.25M"),
            (0.02, "0.02"),
            (-3.0, "-3"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.5, 12.345, 123.45, 1234.5].map(milliseconds),
            ["0.500", "12.35", "123.5", "1,235"]
        );
        assert_eq!([1023.0, 1536.0, 3.5 * 1048576.0].map(bytes), ["1023 B", "1.5 KiB", "3.5 MiB"]);
        assert_eq!([1234.6, 12.34, 0.5].map(rate), ["1,235", "12.3", "0.5"]);
    }
}
