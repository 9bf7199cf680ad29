//! Every way to be refused, in one table for both transports.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Builds [`ErrorReason`] from one table: name on the wire, HTTP status, numeric
/// code of the HTTP body, meaning.
macro_rules! reasons {
    ($( $variant:ident $wire:literal $status:literal $code:literal $meaning:literal; )*) => {
        /// Why a request was refused: `reason` in an `ERROR` or `AUTH_FAIL` frame and in
        /// the body of a failed HTTP request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        pub enum ErrorReason {
            $( #[doc = $meaning] #[serde(rename = $wire)] $variant, )*
        }

        impl ErrorReason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $wire, )* }
            }

            /// The HTTP status that goes with it.
            pub const fn http_status(self) -> u16 {
                match self { $( Self::$variant => $status, )* }
            }

            /// The numeric `code` of the HTTP body.
            pub const fn code(self) -> u32 {
                match self { $( Self::$variant => $code, )* }
            }

            /// What it means, as a sentence for the documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => $meaning, )* }
            }
        }
    };
}

reasons! {
    BadJson "bad_json" 400 40000 "The frame or body is not a JSON object.";
    MissingType "missing_type" 400 40001 "The frame has no `type`.";
    UnknownType "unknown_type" 400 40002 "This server knows no request of that `type`.";
    InvalidField "invalid_field" 400 40003 "A field has the wrong form; the message names it.";
    MissingTo "missing_to" 400 40004 "`to` is missing.";
    MissingBody "missing_body" 400 40005 "`body` is missing or blank.";
    MissingMsgId "missing_msg_id" 400 40006 "`clientMsgId` is missing.";
    MissingAckType "missing_ack_type" 400 40007 "`ackType` is missing.";
    BodyTooLong "body_too_long" 400 40008 "`body` is longer than the limits in AUTH_OK.";
    CannotSendToSelf "cannot_send_to_self" 400 40009 "A single chat needs another user.";
    BadSyncToken "bad_sync_token" 400 40010 "The sync token was not made by this system; sync without one.";
    WeakPassword "weak_password" 400 40011 "The password is too short or too long.";
    BadUsername "bad_username" 400 40012 "The user name has the wrong form; the message says which is right.";
    MissingGroupId "missing_group_id" 400 40013 "`groupId` is missing.";
    BadTitle "bad_title" 400 40014 "`title` is blank, longer than 64 UTF-16 code units, or has control characters.";
    SearchTooBroad "search_too_broad" 400 40015 "The search takes too long: name a conversation, more words or a shorter time.";
    WrongFileKind "wrong_file_kind" 400 40040 "The file is not of the kind that such a message is about.";
    UploadCut "upload_cut" 400 40041 "The body ended before its end. Of a resumable upload what came is kept.";
    MissingToken "missing_token" 401 40100 "No access token was given.";
    InvalidToken "invalid_token" 401 40101 "The access token is malformed, forged, of an unknown issuer, or not an access token.";
    TokenExpired "token_expired" 401 40102 "The access token has expired; log in again.";
    Unauthorized "unauthorized" 401 40103 "Authenticate first.";
    AuthTimeout "auth_timeout" 401 40104 "No AUTH frame came in time.";
    BadCredentials "bad_credentials" 401 40105 "The user name or the password is wrong.";
    InvalidRefreshToken "invalid_refresh_token" 401 40106 "The refresh token is unknown, expired, replaced or revoked; log in again.";
    LoginRevoked "login_revoked" 401 40107 "The log-in that the token belongs to was ended; log in again.";
    RegistrationClosed "registration_closed" 403 40300 "This server does not take registrations.";
    ForbiddenOrigin "forbidden_origin" 403 40301 "Pages of this origin may not do that here.";
    NotAllowed "not_allowed" 403 40302 "Your role, in the conversation or in the system, does not allow that.";
    TooLate "too_late" 403 40303 "The message can no longer be recalled or edited: its time is over, or it was recalled.";
    InvalidInvite "invalid_invite" 403 40304 "Registering here takes an invite code, and this one is unknown, used up or over.";
    AnotherUser "another_user" 403 40305 "The token is of another user than the session.";
    NotReachable "not_reachable" 403 40306 "The other user does not take this from you.";
    BlockedByYou "blocked_by_you" 403 40307 "You have blocked the other user; unblock the user first.";
    NotFriends "not_friends" 403 40308 "Here that is for friends only: apply to the other user first.";
    Muted "muted" 403 40309 "You may not speak in this group at present.";
    QuotaExceeded "quota_exceeded" 403 40340 "Your files would take more room than you may have.";
    InvalidLink "invalid_link" 403 40341 "The link is over, or was not made here; ask for another one.";
    AccountDisabled "account_disabled" 403 40350 "An admin has locked this account out.";
    InvalidResetCode "invalid_reset_code" 403 40351 "The code for another password is unknown, used or over; ask for another one.";
    WordRefused "word_refused" 403 40352 "It has a word that this server does not let through.";
    NotFound "not_found" 404 40400 "There is nothing at this path.";
    ConversationNotFound "conversation_not_found" 404 40401 "There is no such conversation, or you are not a member of it.";
    UserNotFound "user_not_found" 404 40402 "There is no such user, or the user is no member of the group.";
    MessageNotFound "message_not_found" 404 40403 "There is no such message, or you may not read it.";
    DeviceNotFound "device_not_found" 404 40404 "You have no log-in of this id.";
    ApplicationNotFound "application_not_found" 404 40405 "No such application waits; perhaps its time is over.";
    NoticeNotFound "notice_not_found" 404 40450 "No such notice is in force; perhaps its time is over.";
    FileNotFound "file_not_found" 404 40406 "There is no such file, or you may not have it.";
    CallNotFound "call_not_found" 404 40407 "There is no such call, or it is over.";
    SearchOff "search_off" 404 40409 "This server does not search; its operator has switched it off.";
    MethodNotAllowed "method_not_allowed" 405 40500 "The path does not take this method.";
    UsernameTaken "username_taken" 409 40900 "Somebody else has this user name.";
    RetryTooOld "retry_too_old" 409 40901 "The message was first sent before the window in which retries are recognised; nothing was stored now.";
    NothingToChange "nothing_to_change" 409 40902 "It is so already; nothing was stored.";
    GroupFull "group_full" 409 40903 "The group would have more members than the limit.";
    Kicked "kicked" 409 40904 "Another session took the place of this one, or its log-in was ended.";
    LimitReached "limit_reached" 409 40905 "There are as many of them as there may be; the message says of what.";
    CallIdTaken "call_id_taken" 409 40910 "This `callId` was used before; choose a new one.";
    InCall "in_call" 409 40911 "You are in a call already; hang up first.";
    Busy "busy" 409 40912 "The other user is in a call.";
    Glare "glare" 409 40913 "The other user is calling you at this moment: answer that call.";
    CallElsewhere "call_elsewhere" 409 40914 "The call is on another of your devices.";
    CallState "call_state" 409 40915 "The call is not in a state for that; the message says why.";
    TooManyUploads "too_many_uploads" 409 40940 "You have as many unfinished uploads as you may have.";
    UploadOffsetMismatch "upload_offset_mismatch" 409 40941 "The upload is at another offset; ask where it is.";
    UploadUnfinished "upload_unfinished" 409 40942 "The file is not complete yet.";
    LastAdmin "last_admin" 409 40950 "No admin who can act would be left; make another one first.";
    TusVersion "tus_version" 412 41240 "Only version 1.0.0 of tus is spoken here.";
    FrameTooLarge "frame_too_large" 413 41300 "The frame or body is larger than the limit.";
    FileTooLarge "file_too_large" 413 41340 "The file is larger than one of its kind may be, or than was said.";
    UnsupportedMediaType "unsupported_media_type" 415 41500 "The body needs another content type: `application/json`, but for files.";
    RangeNotSatisfiable "range_not_satisfiable" 416 41640 "The file has no such bytes.";
    UploadBusy "upload_busy" 423 42340 "Another request is at work on this upload.";
    TooManyRequests "too_many_requests" 429 42900 "Slow down; `retryAfterMs` says for how long.";
    ChecksumMismatch "checksum_mismatch" 460 46040 "The bytes that came do not have the checksum that was said; send them again.";
    InternalError "internal_error" 500 50000 "The server failed; the log has the request id.";
    ServerBusy "server_busy" 503 50300 "Nothing was stored; send the same again after `retryAfterMs`.";
    AfterRefused "after_refused" 503 50301 "An earlier send to this conversation was refused; send that one again first.";
    Timeout "timeout" 503 50302 "The outcome is unknown; send the same again with `retry: true` to learn it.";
    StorageFull "storage_full" 507 50700 "The disk is full; nothing was stored.";
}

/// A reason from a newer server counts as [`ErrorReason::InternalError`], so that an old
/// client still understands that it was refused.
impl<'de> Deserialize<'de> for ErrorReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|reason| reason.as_str() == name);
        Ok(known.copied().unwrap_or(Self::InternalError))
    }
}

impl fmt::Display for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl schemars::JsonSchema for ErrorReason {
    fn schema_name() -> Cow<'static, str> {
        "ErrorReason".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::ALL.iter().map(|reason| reason.as_str()).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_begin_with_their_status() {
        let mut seen = HashSet::new();
        for reason in ErrorReason::ALL {
            assert!(seen.insert(reason.code()), "{reason} shares its code");
            assert_eq!(reason.code() / 100, u32::from(reason.http_status()), "{reason}");
        }
    }
}
