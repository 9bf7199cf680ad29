//! What a user has decided about himself or herself: the profile of a personal timeline.

use bytes::Bytes;
use petrel_protocol::frame::{GroupAdds, UserSettings};
use petrel_store::StoreError;
use petrel_types::FileId;
use serde::{Deserialize, Serialize};

use crate::profile::{decode, encode};

/// A user's own settings as they are stored. The default is that of everybody who never
/// changed any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Own {
    /// Not to be found by the user name.
    pub(crate) hidden: bool,
    /// To look offline to everybody else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) presence_hidden: bool,
    /// Who takes the user into groups at once.
    #[serde(skip_serializing_if = "GroupAdds::is_default")]
    pub(crate) group_adds: GroupAdds,
    /// The code by which those find the user who got it.
    pub(crate) friend_code: Option<String>,
    /// What others call the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    /// The user's picture, which the timeline refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) avatar: Option<FileId>,
}

impl Own {
    /// As it is shown to the user.
    pub(crate) fn shown(&self) -> UserSettings {
        UserSettings {
            findable: !self.hidden,
            friend_code: self.friend_code.clone(),
            presence_hidden: self.presence_hidden,
            group_adds: self.group_adds,
            display_name: self.display_name.clone(),
            avatar: self.avatar,
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        decode(stored)
    }
}
