//! The first frame of a session that brought no token with its upgrade.

use std::time::Duration;

use petrel_logic::Refusal;
use petrel_logic::admission::{Turn, bounded};
use petrel_logic::identity::Authenticated;
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::frame::{Auth, AuthFail, ClientFrame, Decoded, RequestId, ServerFrame};
use petrel_types::limits::{AUTH_TIMEOUT_MS, DEVICE_TEXT_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::socket::{End, Inbound, Socket, drain_end};
use crate::Gateway;
use crate::metrics::Limit;

const AUTH_TIMEOUT: Duration = Duration::from_millis(AUTH_TIMEOUT_MS);

/// Waits for the AUTH frame, and for a turn to look at it. The turn lasts until AUTH_OK is
/// out.
pub(super) async fn authenticate<S>(
    gateway: &Gateway,
    socket: &mut Socket<S>,
) -> Result<(Auth, Option<RequestId>, Authenticated, Turn), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = tokio::select! {
        first = timeout(AUTH_TIMEOUT, next_text(socket)) => first,
        // A number of its own, so that not all of them come back in the same moment.
        () = gateway.shared.draining.cancelled() => {
            return Err(drain_end(gateway.shared.new_session().get()));
        }
    };
    let (refusal, id) = match first {
        Err(_) => {
            gateway.shared.dependencies.metrics.met(Limit::AuthTime);
            let message = format!("no AUTH frame came within {AUTH_TIMEOUT_MS} ms");
            (Refusal::new(ErrorReason::AuthTimeout, message), None)
        }
        Ok(text) => match ClientFrame::decode(text?.as_str()) {
            Ok(Decoded { id, frame: ClientFrame::Auth(auth) }) => {
                let admission = gateway.shared.admission();
                let Ok(turn) = admission.handshakes.enter().await else {
                    let retry_after_ms = admission.retry_after_ms();
                    return Err(End::Close(CloseCode::Busy, Some(retry_after_ms)));
                };
                let identity = &gateway.shared.dependencies.identity;
                let authenticated = match check_auth(&auth) {
                    Ok(()) => bounded(identity.authenticate(&auth.token)).await,
                    Err(refusal) => Err(refusal),
                };
                match authenticated {
                    Ok(authenticated) => return Ok((auth, id, authenticated, turn)),
                    Err(refusal) => {
                        let fail = AuthFail { reason: refusal.reason, message: refusal.message };
                        send(socket, &ServerFrame::AuthFail(fail), id.as_ref()).await?;
                        return Err(End::Close(CloseCode::Auth, None));
                    }
                }
            }
            Ok(Decoded { id, .. }) => {
                (Refusal::new(ErrorReason::Unauthorized, "the first frame must be AUTH"), id)
            }
            Err(error) => (Refusal::new(error.reason, error.message), error.id),
        },
    };
    send(socket, &ServerFrame::Error(refusal.into_frame()), id.as_ref()).await?;
    Err(End::Close(CloseCode::Auth, None))
}

/// The next text, passing over pings and pongs.
async fn next_text<S>(socket: &mut Socket<S>) -> Result<String, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await? {
            Inbound::Text(text) => return Ok(text),
            Inbound::Binary => return Err(End::Violation(1003, "text frames only")),
            Inbound::SignOfLife => socket.flush().await?,
        }
    }
}

async fn send<S>(
    socket: &mut Socket<S>,
    frame: &ServerFrame,
    id: Option<&RequestId>,
) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.feed(&frame.encode(id)).await?;
    socket.flush().await
}

pub(crate) fn check_auth(auth: &Auth) -> Result<(), Refusal> {
    let texts =
        [("deviceId", &auth.device_id), ("platform", &auth.platform), ("client", &auth.client)];
    for (name, text) in texts {
        if text.as_ref().is_some_and(|text| text.len() > DEVICE_TEXT_BYTES_MAX) {
            return Err(Refusal::new(
                ErrorReason::InvalidField,
                format!("{name} is longer than {DEVICE_TEXT_BYTES_MAX} bytes"),
            ));
        }
    }
    if auth.v == Some(0) {
        return Err(Refusal::new(ErrorReason::InvalidField, "protocol versions start at 1"));
    }
    Ok(())
}
