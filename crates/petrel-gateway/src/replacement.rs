//! Which session takes the place of which.

use petrel_types::{LoginId, UserId};

/// How many sessions a user may have at once. The same device never has two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionPolicy {
    /// Any number.
    #[default]
    Multi,
    /// One: a new session replaces all others.
    Single,
    /// One per platform. Those that name no platform are of one.
    OnePerPlatform,
}

/// Why a session is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Another session took its place.
    Replaced,
    /// Its log-in was ended.
    Revoked,
    /// Its user was locked out.
    Disabled,
}

/// Whose session it is, and on which device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    pub(crate) login: Option<LoginId>,
    pub(crate) device: Option<Box<str>>,
    pub(crate) platform: Option<Box<str>>,
}

impl SessionPolicy {
    /// Whether a session makes another one of the same user go, of which `later` began
    /// after `earlier`.
    pub(crate) fn replaces(self, later: &Bearer, earlier: &Bearer) -> bool {
        let is_same_device = later.device.is_some() && later.device == earlier.device;
        is_same_device
            || match self {
                Self::Multi => false,
                Self::Single => true,
                Self::OnePerPlatform => is_same_platform(later, earlier),
            }
    }
}

fn is_same_platform(one: &Bearer, other: &Bearer) -> bool {
    let name = |bearer: &Bearer| bearer.platform.clone().unwrap_or_default();
    name(one).eq_ignore_ascii_case(&name(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(device: Option<&str>, platform: Option<&str>) -> Bearer {
        let (device, platform) = (device.map(Into::into), platform.map(Into::into));
        Bearer { device, platform, ..Bearer::default() }
    }

    #[test]
    fn the_same_device_is_replaced_under_every_policy() {
        for policy in [SessionPolicy::Multi, SessionPolicy::Single, SessionPolicy::OnePerPlatform] {
            let (web, ios) = (on(Some("d"), Some("web")), on(Some("d"), Some("ios")));
            assert!(policy.replaces(&web, &ios), "{policy:?}");
        }
    }

    #[test]
    fn policies_tell_other_devices_apart() {
        let (web, ios) = (on(Some("a"), Some("web")), on(Some("b"), Some("ios")));
        let (other_web, nameless) = (on(Some("c"), Some("Web")), on(None, None));
        assert!(!SessionPolicy::Multi.replaces(&web, &other_web));
        assert!(!SessionPolicy::Multi.replaces(&nameless, &nameless));
        assert!(SessionPolicy::Single.replaces(&web, &ios));
        assert!(SessionPolicy::Single.replaces(&nameless, &ios));
        assert!(SessionPolicy::OnePerPlatform.replaces(&web, &other_web));
        assert!(!SessionPolicy::OnePerPlatform.replaces(&web, &ios));
        assert!(!SessionPolicy::OnePerPlatform.replaces(&nameless, &ios));
        assert!(SessionPolicy::OnePerPlatform.replaces(&nameless, &nameless));
    }
}
