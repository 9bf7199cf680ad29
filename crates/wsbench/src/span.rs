//! Durations as people write them: `90s`, `1m30s`, `250ms`, `4h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration that is written with units, as in Go. `0` needs none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// The units, longest first, in nanoseconds.
const UNITS: [(&str, f64); 7] =
    [("h", 3600e9), ("ms", 1e6), ("m", 60e9), ("us", 1e3), ("µs", 1e3), ("ns", 1.0), ("s", 1e9)];

/// The longest accepted: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write it with units, such as 250ms, 90s, 1m30s or 4h")]
pub struct NotASpan(String);

impl Span {
    /// Whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Whole milliseconds.
    pub const fn milliseconds(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// In nanoseconds.
    pub fn nanos(self) -> u64 {
        crate::clock::nanos(self.0)
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// So many times as long.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self(self.0.mul_f64(factor))
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        parse(text).filter(|span| span.0 <= LONGEST).ok_or_else(|| NotASpan(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Span> {
    if text == "0" {
        return Some(Span::default());
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let (unit, scale) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        total += number * scale;
        rest = &after[unit.len()..];
    }
    let known = !text.is_empty() && total <= LONGEST.as_nanos() as f64;
    known.then(|| Span(Duration::from_nanos(total.round() as u64)))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        let mut rest = nanos;
        for (unit, scale) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)]
        {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        for (unit, scale) in [("ms", 1_000_000), ("us", 1_000), ("ns", 1)] {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A duration with units, such as 1m30s." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_in_go() {
        for (text, ms) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("4h", 14_400_000),
            ("1.5s", 1_500),
            ("0", 0),
            ("2m", 120_000),
        ] {
            assert_eq!(text.parse(), Ok(Span::milliseconds(ms)), "{text}");
        }
        assert_eq!("1500us".parse::<Span>().unwrap().to_string(), "1ms500us");
        for wrong in ["", "5", "s", "-1s", "1d", "1s2", "9999999h", "1..s"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for ms in [0, 1, 999, 1000, 61_000, 3_600_000, 3_661_001] {
            let span = Span::milliseconds(ms);
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
