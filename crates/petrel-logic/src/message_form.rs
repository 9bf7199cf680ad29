//! The form of a message that is sent: which fields go together, and how long they may be.
//! What they refer to is the sequencer's business.

use petrel_log::{Content, NewMessage};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{AttachmentRef, Custom, Location, MessageType};
use petrel_types::limits::{
    BODY_BYTES_MAX, BODY_UTF16_UNITS_MAX, CUSTOM_DATA_BYTES_MAX, CUSTOM_TYPE_BYTES_MAX,
    FILE_ID_BYTES_MAX, PLACE_ADDRESS_UTF16_UNITS_MAX, PLACE_NAME_UTF16_UNITS_MAX,
};

use crate::Refusal;
use crate::visible::is_blank;

/// The content of a command, if the message has the right form.
pub(crate) fn content_of(message: NewMessage) -> Result<Content, Refusal> {
    if message.forward.is_some() {
        check_bare(&message)?;
        return Ok(Content::Message(Box::new(message)));
    }
    check_kind(&message)?;
    if message.msg_type == MessageType::Text {
        check_body(&message.body)?;
    } else {
        check_length(&message.body)?;
    }
    let names_nobody = message.mentions.is_empty() && !message.mention_all;
    let is_plain = message.msg_type == MessageType::Text && message.reply_to.is_none();
    Ok(match is_plain && names_nobody {
        true => Content::Text(message.body),
        false => Content::Message(Box::new(message)),
    })
}

/// Refuses a text that is blank or too long.
pub fn check_body(body: &str) -> Result<(), Refusal> {
    if is_blank(body) {
        return Err(Refusal::new(ErrorReason::MissingBody, "`body` is missing or blank"));
    }
    check_length(body)
}

fn check_length(body: &str) -> Result<(), Refusal> {
    if body.len() > BODY_BYTES_MAX || body.encode_utf16().count() > BODY_UTF16_UNITS_MAX {
        return Err(Refusal::new(
            ErrorReason::BodyTooLong,
            format!(
                "`body` is longer than {BODY_UTF16_UNITS_MAX} UTF-16 units or {BODY_BYTES_MAX} bytes"
            ),
        ));
    }
    Ok(())
}

/// A message that is sent on says nothing of its own.
fn check_bare(message: &NewMessage) -> Result<(), Refusal> {
    let forward = message.forward;
    if *message != (NewMessage { forward, ..NewMessage::default() }) {
        return Err(wrong_field(
            "`forward` takes the place of everything that a message says: leave out `body`, \
             `attachment`, `location`, `custom`, `replyTo` and mentions",
        ));
    }
    Ok(())
}

/// Of what only some kinds have, a message must have exactly what its own kind takes.
fn check_kind(message: &NewMessage) -> Result<(), Refusal> {
    let NewMessage { msg_type, attachment, location, custom, .. } = message;
    let kind = *msg_type;
    if kind == MessageType::Call {
        return Err(wrong_field("calls are written down by the server"));
    }
    for (name, is_there, is_wanted) in [
        ("attachment", attachment.is_some(), kind.has_attachment()),
        ("location", location.is_some(), kind == MessageType::Location),
        ("custom", custom.is_some(), kind == MessageType::Custom),
    ] {
        let kind = kind.as_str();
        match (is_there, is_wanted) {
            (true, false) => {
                return Err(wrong_field(format!("`{name}` does not go with msgType {kind}")));
            }
            (false, true) => {
                return Err(wrong_field(format!("msgType {kind} needs `{name}`")));
            }
            _ => {}
        }
    }
    attachment.as_deref().map_or(Ok(()), check_attachment)?;
    location.as_deref().map_or(Ok(()), check_location)?;
    custom.as_deref().map_or(Ok(()), check_custom)
}

fn check_attachment(attachment: &AttachmentRef) -> Result<(), Refusal> {
    let id = &attachment.file_id;
    if id.is_empty() || id.len() > FILE_ID_BYTES_MAX || !id.bytes().all(|it| it.is_ascii_graphic())
    {
        return Err(wrong_field("`attachment.fileId` is not an id that this server gives"));
    }
    Ok(())
}

fn check_location(location: &Location) -> Result<(), Refusal> {
    if !(-90.0..=90.0).contains(&location.latitude.get()) {
        return Err(wrong_field("`location.latitude` is not between -90 and 90"));
    }
    for (name, text, units_max) in [
        ("name", &location.name, PLACE_NAME_UTF16_UNITS_MAX),
        ("address", &location.address, PLACE_ADDRESS_UTF16_UNITS_MAX),
    ] {
        let text = text.as_deref().unwrap_or_default();
        if text.encode_utf16().count() > units_max || text.contains(char::is_control) {
            return Err(wrong_field(format!(
                "`location.{name}` must not be longer than {units_max} UTF-16 units, and must have \
                 no control characters"
            )));
        }
    }
    Ok(())
}

fn check_custom(custom: &Custom) -> Result<(), Refusal> {
    let kind = &custom.kind;
    if kind.is_empty() || kind.len() > CUSTOM_TYPE_BYTES_MAX || kind.contains(char::is_control) {
        return Err(wrong_field(format!(
            "`custom.type` has 1 to {CUSTOM_TYPE_BYTES_MAX} bytes without control characters"
        )));
    }
    let bytes = serde_json::to_vec(&custom.data).map_or(usize::MAX, |data| data.len());
    if bytes > CUSTOM_DATA_BYTES_MAX {
        return Err(wrong_field(format!(
            "`custom.data` is {bytes} bytes long; at most {CUSTOM_DATA_BYTES_MAX} are taken"
        )));
    }
    Ok(())
}

fn wrong_field(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorReason::InvalidField, message)
}

#[cfg(test)]
mod tests {
    use petrel_protocol::frame::{Degrees, Forward};
    use petrel_types::{ConversationId, Seq, UserId};

    use super::*;

    fn text(body: &str) -> NewMessage {
        NewMessage { body: body.to_owned(), ..NewMessage::default() }
    }

    fn place(latitude: f64) -> Option<Box<Location>> {
        Some(Box::new(Location {
            latitude: Degrees::new(latitude).unwrap(),
            longitude: Degrees::new(121.5).unwrap(),
            name: None,
            address: None,
        }))
    }

    fn custom(kind: &str, value: &str) -> Option<Box<Custom>> {
        let data = [("value".to_owned(), value.into())].into_iter().collect();
        Some(Box::new(Custom { kind: kind.to_owned(), data }))
    }

    fn reason(message: NewMessage) -> Option<ErrorReason> {
        content_of(message).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn a_body_of_which_nothing_can_be_seen_is_missing() {
        for blank in ["", " \n", "\0", "\u{200b}", "\u{feff} \u{2060}\0"] {
            assert_eq!(reason(text(blank)), Some(ErrorReason::MissingBody), "{blank:?}");
        }
        assert_eq!(reason(text("\u{200b}.")), None);
    }

    #[test]
    fn a_body_is_bounded_in_units_and_in_bytes() {
        assert!(check_body(&"x".repeat(BODY_UTF16_UNITS_MAX)).is_ok());
        assert!(check_body(&"x".repeat(BODY_UTF16_UNITS_MAX + 1)).is_err());
        // Three bytes each: within the units and within the bytes.
        assert!(check_body(&"鸟".repeat(BODY_UTF16_UNITS_MAX)).is_ok());
        // Two units and four bytes each.
        assert!(check_body(&"🐦".repeat(BODY_UTF16_UNITS_MAX / 2)).is_ok());
        assert!(check_body(&"🐦".repeat(BODY_UTF16_UNITS_MAX / 2 + 1)).is_err());
        assert_eq!(check_body(" \n\t").unwrap_err().reason, ErrorReason::MissingBody);
    }

    #[test]
    fn a_plain_text_stays_what_it_always_was() {
        assert_eq!(content_of(text("hello")).unwrap(), Content::Text("hello".to_owned()));
        let naming = NewMessage { mentions: vec![UserId::new(2)], ..text("hello") };
        assert!(matches!(content_of(naming).unwrap(), Content::Message(_)));
    }

    #[test]
    fn each_kind_takes_what_is_its_own_and_nothing_else() {
        let location = || NewMessage {
            msg_type: MessageType::Location,
            location: place(31.2),
            ..NewMessage::default()
        };
        assert_eq!(reason(location()), None);
        assert_eq!(reason(NewMessage { body: "here".to_owned(), ..location() }), None);
        let invalid = Some(ErrorReason::InvalidField);
        assert_eq!(reason(NewMessage { location: None, ..location() }), invalid);
        assert_eq!(reason(NewMessage { custom: custom("x", ""), ..location() }), invalid);
        assert_eq!(reason(NewMessage { location: place(31.2), ..text("hello") }), invalid);
        assert_eq!(reason(NewMessage { location: place(-90.1), ..location() }), invalid);
        let long = "x".repeat(BODY_UTF16_UNITS_MAX + 1);
        let too_long = NewMessage { body: long, ..location() };
        assert_eq!(reason(too_long), Some(ErrorReason::BodyTooLong));
        assert_eq!(reason(text(" ")), Some(ErrorReason::MissingBody));
        for kind in MessageType::ALL.into_iter().filter(|kind| kind.has_attachment()) {
            let message = |file_id: &str| NewMessage {
                msg_type: kind,
                attachment: Some(Box::new(AttachmentRef {
                    file_id: file_id.to_owned(),
                    duration_ms: None,
                    width: None,
                    height: None,
                })),
                ..NewMessage::default()
            };
            assert_eq!(reason(message("a9")), None, "{kind:?}");
            assert_eq!(reason(message("")), invalid, "{kind:?}");
            assert_eq!(reason(message(&"a".repeat(FILE_ID_BYTES_MAX + 1))), invalid, "{kind:?}");
            assert_eq!(reason(NewMessage { attachment: None, ..message("a9") }), invalid);
        }
    }

    #[test]
    fn what_only_clients_understand_is_bounded() {
        let message =
            |custom| NewMessage { msg_type: MessageType::Custom, custom, ..NewMessage::default() };
        assert_eq!(reason(message(custom("poll", "tea or coffee"))), None);
        let invalid = Some(ErrorReason::InvalidField);
        assert_eq!(reason(message(custom("", ""))), invalid);
        assert_eq!(reason(message(custom(&"x".repeat(CUSTOM_TYPE_BYTES_MAX + 1), ""))), invalid);
        let frame = r#"{"value":""}"#.len();
        let most = "x".repeat(CUSTOM_DATA_BYTES_MAX - frame);
        assert_eq!(reason(message(custom("x", &most))), None);
        assert_eq!(reason(message(custom("x", &format!("{most}x")))), invalid);
    }

    #[test]
    fn a_message_that_is_sent_on_says_nothing_of_its_own() {
        let forward =
            Some(Forward { conversation_id: ConversationId::new(4), msg_seq: Seq::new(2) });
        let invalid = Some(ErrorReason::InvalidField);
        assert_eq!(reason(NewMessage { forward, ..NewMessage::default() }), None);
        assert_eq!(reason(NewMessage { forward, ..text("look") }), invalid);
        let reply = NewMessage { forward, reply_to: Some(Seq::new(1)), ..NewMessage::default() };
        assert_eq!(reason(reply), invalid);
    }
}
