//! What is said of the moment, in both directions.

use petrel_protocol::frame::*;
use petrel_types::{ClientMessageId, NoticeId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{client_msg_id, conversation, counter, text, texts, timestamp, user, users};

pub(super) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        users().prop_map(|users| ClientFrame::PresenceSubscribe(PresenceSubscribe { users })),
        users().prop_map(|users| ClientFrame::PresenceQuery(PresenceQuery { users })),
        (option::of(conversation()), option::of(user()), any::<bool>()).prop_map(
            |(conversation_id, to, stopped)| {
                ClientFrame::Typing(Typing { conversation_id, to, stopped })
            }
        ),
        (client_msg_id(), user(), media(), text(), option::of(client_msg_id())).prop_map(
            |(call_id, to, media, sdp, resumes)| {
                ClientFrame::CallOffer(CallOffer { call_id, to, media, sdp, resumes })
            }
        ),
        (client_msg_id(), text())
            .prop_map(|(call_id, sdp)| ClientFrame::CallAnswer(CallAnswer { call_id, sdp })),
        (client_msg_id(), text())
            .prop_map(|(call_id, candidate)| ClientFrame::CallIce(CallIce { call_id, candidate })),
        client_msg_id().prop_map(|call_id| ClientFrame::CallHangup(CallHangup { call_id })),
        client_msg_id().prop_map(|call_id| ClientFrame::CallReject(CallReject { call_id })),
        Just(ClientFrame::Turn(Turn {})),
    ]
}

pub(super) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        presences().prop_map(|items| ServerFrame::PresenceState(PresenceState { items })),
        presences().prop_map(|items| ServerFrame::Presence(PresenceChange { items })),
        (counter(), text(), timestamp(), option::of(timestamp())).prop_map(
            |(id, text, ts, until_ts)| {
                let notice_id = NoticeId::new(id);
                ServerFrame::Notice(Notice { notice_id, text, ts, until_ts })
            }
        ),
        counter().prop_map(|id| {
            ServerFrame::NoticeWithdrawn(NoticeWithdrawn { notice_id: NoticeId::new(id) })
        }),
        (conversation(), user(), any::<bool>(), counter()).prop_map(
            |(conversation_id, from, stopped, expires_in_ms)| {
                ServerFrame::Typing(TypingPush { conversation_id, from, stopped, expires_in_ms })
            }
        ),
        (client_msg_id(), user(), media(), text(), counter(), option::of(client_msg_id()))
            .prop_map(|(call_id, from, media, sdp, rings_for_ms, resumes)| {
                let ring = CallRing { call_id, from, media, sdp, rings_for_ms, resumes };
                ServerFrame::CallOffer(ring)
            }),
        (client_msg_id(), text())
            .prop_map(|(call_id, sdp)| ServerFrame::CallAnswer(CallAnswer { call_id, sdp })),
        (client_msg_id(), text())
            .prop_map(|(call_id, candidate)| ServerFrame::CallIce(CallIce { call_id, candidate })),
        (client_msg_id(), select(&PHASES[..]), option::of(select(&ENDS[..]))).prop_map(
            |(call_id, state, reason)| {
                ServerFrame::CallState(CallState { call_id, state, reason })
            }
        ),
        (texts(), option::of(text()), counter()).prop_map(|(urls, username, ttl_ms)| {
            let credential = username.clone();
            ServerFrame::TurnCredentials(TurnCredentials { urls, username, credential, ttl_ms })
        }),
    ]
}

const PHASES: [CallPhase; 3] = [CallPhase::Ringing, CallPhase::Answered, CallPhase::Ended];

const ENDS: [CallEnd; 7] = [
    CallEnd::HungUp,
    CallEnd::Cancelled,
    CallEnd::Rejected,
    CallEnd::NoAnswer,
    CallEnd::Disconnected,
    CallEnd::AnsweredElsewhere,
    CallEnd::ServerStopped,
];

fn media() -> impl Strategy<Value = CallMedia> {
    select(&[CallMedia::Audio, CallMedia::Video][..])
}

fn presences() -> impl Strategy<Value = Vec<UserPresence>> {
    let presence = (user(), any::<bool>(), option::of(timestamp()))
        .prop_map(|(user, online, last_seen_ts)| UserPresence { user, online, last_seen_ts });
    vec(presence, 0..4)
}

/// A record of a call, or none, made of what is there.
pub(super) fn call_record(
    call_id: &ClientMessageId,
    duration_ms: Option<u64>,
) -> Option<Box<CallRecord>> {
    let index = call_id.as_str().len() % (CallOutcome::ALL.len() + 1);
    let outcome = *CallOutcome::ALL.get(index)?;
    let (call_id, media) = (call_id.clone(), CallMedia::Video);
    Some(Box::new(CallRecord { call_id, media, outcome, duration_ms }))
}
