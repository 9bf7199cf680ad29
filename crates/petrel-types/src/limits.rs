//! Bounds that are part of the contract with clients.
//!
//! A bound that an operator may change lives in the configuration instead.

/// The largest WebSocket frame or message, in bytes, in either direction.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The longest message text, in UTF-16 code units (what JavaScript's `length` and
/// Java's `length()` count).
pub const BODY_UTF16_UNITS_MAX: usize = 4096;

/// The longest message body, in bytes of UTF-8.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// The longest reaction, in bytes.
pub const EMOJI_BYTES_MAX: usize = 32;

/// The most different reactions to one message.
pub const REACTION_KINDS_MAX: usize = 20;

/// The most reactions of all users to one message.
pub const REACTIONS_MAX: usize = 500;

/// The most messages that are pinned in one conversation.
pub const PINS_MAX: usize = 50;

/// The most messages that one command deletes for its sender.
pub const HIDE_MESSAGES_MAX: usize = 100;

/// The most messages of one conversation that somebody has deleted for himself or herself
/// one by one; beyond, everything up to some message goes.
pub const HIDDEN_MESSAGES_MAX: usize = 500;

/// The longest `fileId`, in bytes.
pub const FILE_ID_BYTES_MAX: usize = 64;

/// The longest name of a place, in UTF-16 code units.
pub const PLACE_NAME_UTF16_UNITS_MAX: usize = 128;

/// The longest address of a place, in UTF-16 code units.
pub const PLACE_ADDRESS_UTF16_UNITS_MAX: usize = 256;

/// The longest `type` of a `CUSTOM` message, in bytes.
pub const CUSTOM_TYPE_BYTES_MAX: usize = 64;

/// The most that a `CUSTOM` message holds, in bytes of JSON without white space.
pub const CUSTOM_DATA_BYTES_MAX: usize = 8 * 1024;

/// The longest `clientMsgId`, in bytes.
pub const CLIENT_MESSAGE_ID_BYTES_MAX: usize = 64;

/// The longest `deviceId`, `platform` or `client`, in bytes.
pub const DEVICE_TEXT_BYTES_MAX: usize = 64;

/// The longest request `id`, in bytes, when it is a string.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// How many sends of one session may wait for their ack. Beyond, the server stops
/// reading that socket until acks have gone out.
pub const SENDS_IN_FLIGHT_MAX: usize = 256;

/// The most events one `EVENTS` frame carries.
pub const PULL_EVENTS_MAX: u32 = 200;

/// The most conversations one `SYNC_STATE` frame carries.
pub const SYNC_CONVERSATIONS_MAX: u32 = 200;

/// The most positions one `ACK` frame carries.
pub const ACK_ITEMS_MAX: usize = 256;

/// The most members of a group.
pub const GROUP_MEMBERS_MAX: usize = 20_000;

/// The most users that one command brings into a group or takes out of it.
pub const GROUP_CHANGE_MEMBERS_MAX: usize = 500;

/// The longest title of a group, in UTF-16 code units.
pub const GROUP_TITLE_UTF16_UNITS_MAX: usize = 64;

/// The most members one `CONVERSATION_STATE` frame carries.
pub const STATE_MEMBERS_MAX: u32 = 500;

/// The most members that one message names.
pub const MENTIONS_MAX: usize = 50;

/// The longest description, and the longest announcement, of a group, in UTF-16 code units.
pub const GROUP_TEXT_UTF16_UNITS_MAX: usize = 1024;

/// The longest address of a group's picture, in UTF-16 code units.
pub const GROUP_AVATAR_UTF16_UNITS_MAX: usize = 512;

/// The longest name that a user shows to others, in UTF-16 code units.
pub const DISPLAY_NAME_UTF16_UNITS_MAX: usize = 64;

/// The largest picture that a user or a group has as an avatar, in bytes.
pub const AVATAR_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The longest nickname in a group, in UTF-16 code units.
pub const NICKNAME_UTF16_UNITS_MAX: usize = 32;

/// The longest time for which a member of a group may be muted, in milliseconds.
pub const MUTE_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

/// The most users who wait to be let into one group.
pub const JOIN_REQUESTS_MAX: u64 = 1_000;

/// The most contacts one `CONTACT_STATE` frame carries.
pub const CONTACTS_MAX: u32 = 200;

/// The longest message of an application, in UTF-16 code units.
pub const APPLICATION_UTF16_UNITS_MAX: usize = 256;

/// The longest remark on a friend, in UTF-16 code units.
pub const REMARK_UTF16_UNITS_MAX: usize = 64;

/// How long an invitation into a group waits for an answer, in milliseconds.
pub const INVITATION_LIFETIME_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The most invitations into groups that wait for one user's answer.
pub const INVITATIONS_MAX: usize = 100;

/// How long an application waits for an answer, in milliseconds.
pub const APPLICATION_LIFETIME_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// How long who was refused waits before applying to the same user again, in milliseconds.
pub const APPLICATION_AGAIN_AFTER_MS: u64 = 60 * 60 * 1000;

/// The longest query of a search, in UTF-16 code units.
pub const SEARCH_QUERY_UTF16_UNITS_MAX: usize = 128;

/// The most words and signs of a query.
pub const SEARCH_ATOMS_MAX: usize = 32;

/// The most messages one `FOUND` frame carries.
pub const SEARCH_HITS_MAX: u32 = 50;

/// Of how many conversations a search looks at the latest, if none is named.
pub const SEARCH_CONVERSATIONS_MAX: usize = 2_000;

/// How long a search may take, in milliseconds.
pub const SEARCH_TIME_MS: u64 = 2_000;

/// How many conversations one session may have in focus.
pub const FOCUS_CONVERSATIONS_MAX: usize = 32;

/// A client says at most once in this time, in milliseconds, how far it has received a
/// group's conversation.
pub const ACK_INTERVAL_MS: u64 = 1_000;

/// How long after sending a sender may recall a message, in milliseconds.
pub const RECALL_WINDOW_MS: u64 = 2 * 60 * 1000;

/// How long after sending a sender may edit a message, in milliseconds.
pub const EDIT_WINDOW_MS: u64 = 48 * 60 * 60 * 1000;

/// How long a message is recognised when it is sent again, in milliseconds. Nothing
/// younger is ever trimmed.
pub const RETRY_WINDOW_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Time to authenticate after the upgrade, in milliseconds.
pub const AUTH_TIMEOUT_MS: u64 = 3_000;

/// How many users one session may subscribe to, and one question may name.
pub const PRESENCE_USERS_MAX: usize = 256;

/// How long it holds that somebody types, in milliseconds, unless it is said again.
pub const TYPING_EXPIRES_MS: u64 = 6_000;
