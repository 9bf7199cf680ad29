//! Bodies of `/api/admin/limits`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Builds [`LimitName`] from one table: name on the wire, the least and the most, meaning.
macro_rules! limits {
    ($( $variant:ident $wire:literal $least:literal $most:literal $meaning:literal; )*) => {
        /// A limit that may be changed while the server runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum LimitName {
            $( #[doc = $meaning] #[serde(rename = $wire)] $variant, )*
        }

        impl LimitName {
            /// Every limit, in the order of the table.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $wire, )* }
            }

            /// The least that it may be.
            pub const fn least(self) -> u64 {
                match self { $( Self::$variant => $least, )* }
            }

            /// The most that it may be.
            pub const fn most(self) -> u64 {
                match self { $( Self::$variant => $most, )* }
            }

            /// What it means, as a sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => $meaning, )* }
            }
        }
    };
}

limits! {
    ConnectionsMax "connectionsMax" 1 1_000_000 "Connections that may be open; further ones are refused, those that are open stay.";
    RegistrationsPerAddress "registrationsPerAddress" 0 1_000_000 "Users that one address may register in a row; after that each has to wait longer.";
    SessionFramesPerSecond "sessionFramesPerSecond" 0 4_000_000 "Frames a second that one session may send on average; 0 is no limit.";
    SessionFramesBurst "sessionFramesBurst" 1 4_000_000 "Frames that a session which was quiet may send at once.";
    SessionSendsPerSecond "sessionSendsPerSecond" 0 4_000_000 "Messages and changes a second that one session may send on average; 0 is no limit.";
    SessionSendsBurst "sessionSendsBurst" 1 4_000_000 "Messages and changes that a session which was quiet may send at once.";
    SessionReadsPerSecond "sessionReadsPerSecond" 0 4_000_000 "Reads a second that one session may ask for on average; 0 is no limit.";
    SessionReadsBurst "sessionReadsBurst" 1 4_000_000 "Reads that a session which was quiet may ask for at once.";
    UserSessionsWorth "userSessionsWorth" 1 1_000 "All sessions of one user together may use as much as this many sessions.";
    UserInvitationsPerMinute "userInvitationsPerMinute" 0 60_000 "People a minute whom one user may invite into groups on average; 0 is no limit.";
    UserInvitationsBurst "userInvitationsBurst" 1 60_000 "People whom a user who invited nobody of late may invite at once.";
    FloodPatienceMs "floodPatienceMs" 0 86_400_000 "A session that is above its rate for so long, in milliseconds, is closed; 0 is never.";
    HttpUserRequestsPerSecond "httpUserRequestsPerSecond" 0 4_000_000 "HTTP requests a second that one user may make on average; 0 is no limit.";
    HttpUserRequestsBurst "httpUserRequestsBurst" 1 4_000_000 "HTTP requests that a user who was quiet may make at once.";
    HttpAddressRequestsPerSecond "httpAddressRequestsPerSecond" 0 4_000_000 "HTTP requests a second that may come from one address on average; 0 is no limit.";
    HttpAddressRequestsBurst "httpAddressRequestsBurst" 1 4_000_000 "HTTP requests that may come at once from an address that was quiet.";
}

/// Who may register.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum RegistrationMode {
    /// Anybody.
    Open,
    /// Whoever has an invite code.
    Invite,
    /// Nobody.
    Closed,
}

impl RegistrationMode {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

/// For how long something holds that was changed while the server ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Changed {
    /// Also after a restart, until it is changed again.
    Kept,
    /// Until the server restarts.
    UntilRestart,
}

/// `GET /api/admin/limits`, and the answer to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminLimits {
    /// Who may register.
    pub registration: AdminRegistration,
    /// The other limits, always in the same order.
    pub limits: Vec<AdminLimit>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminRegistration {
    /// What holds now.
    pub value: RegistrationMode,
    /// What the configuration says.
    pub configured: RegistrationMode,
    /// Missing if it is as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminLimit {
    /// Which.
    pub name: LimitName,
    /// What holds now.
    pub value: u64,
    /// What the configuration says.
    pub configured: u64,
    /// The least that it may be set to.
    pub least: u64,
    /// The most that it may be set to.
    pub most: u64,
    /// What it means, in English.
    pub meaning: String,
    /// Missing if it is as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// `PATCH /api/admin/limits`. What is not named stays as it is; `null` is as configured again.
/// All of it holds when it is answered, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitsChange {
    /// Who may register from now on.
    #[serde(default, deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub registration: Option<Option<RegistrationMode>>,
    /// Other limits, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<LimitName, Option<u64>>,
    /// It is as configured again after a restart. Otherwise it is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_restart: bool,
}

/// Tells `null` from what is missing.
fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for LimitName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|limit| limit.as_str() == name).copied();
        let all = || Self::ALL.iter().map(|limit| limit.as_str()).collect::<Vec<_>>().join(", ");
        known.ok_or_else(|| serde::de::Error::custom(format!("{name:?} is none of {}", all())))
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl schemars::JsonSchema for LimitName {
    fn schema_name() -> Cow<'static, str> {
        "LimitName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::ALL.iter().map(|limit| limit.as_str()).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_what_is_missing_and_a_wrong_name_from_a_right_one() {
        let read = |text| serde_json::from_str::<LimitsChange>(text);
        assert_eq!(read("{}").unwrap(), LimitsChange::default());
        let change = read(r#"{"registration": null, "limits": {"connectionsMax": null}}"#).unwrap();
        assert_eq!(change.registration, Some(None));
        assert_eq!(change.limits, BTreeMap::from([(LimitName::ConnectionsMax, None)]));
        let error = read(r#"{"limits": {"connectionMax": 1}}"#).unwrap_err().to_string();
        assert!(error.contains("connectionMax") && error.contains("connectionsMax"), "{error}");
        assert!(read(r#"{"limits": {"connectionsMax": -1}}"#).is_err());
    }
}
