//! Values as people write them: durations, and addresses that may be switched off.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration with units, as `30s`, `1h 30m` or `7days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Where something listens, or that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere, written `off`.
    Off,
    /// Here, written `HOST:PORT` with a numeric host.
    At(SocketAddr),
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map(Self).map_err(|_| {
            format!("{text:?} is not a duration; write it with units, such as 250ms, 30s, 5m or 7d")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| {
            format!(
                "{text:?} is neither `off` nor HOST:PORT with a numeric host, as 127.0.0.1:6060"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// Serialises through `Display` and `FromStr`, and names its form in the schema.
macro_rules! as_text {
    ($type:ty, $format:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

as_text!(Span, "duration");
as_text!(Listen, "HOST:PORT or off");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_with_units() {
        let span = |text: &str| text.parse::<Span>();
        assert_eq!(span("1m 30s"), Ok(Span(Duration::from_secs(90))));
        assert_eq!(span("7d").unwrap().to_string(), "7days");
        assert_eq!(span("7days"), span("7d"));
        assert!(span("30").unwrap_err().contains("with units"));
    }

    #[test]
    fn a_listener_may_be_off() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        assert_eq!("[::1]:6060".parse::<Listen>().unwrap().to_string(), "[::1]:6060");
        assert!("localhost:6060".parse::<Listen>().unwrap_err().contains("numeric host"));
    }
}
