//! Searching one's own messages.

use axum::extract::State;
use axum::http::Method;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Found, Search};

use crate::Api;
use crate::answer::{Answer, answer};
use crate::bearer::Bearer;
use crate::extract::{QueryOf, nothing_wanted};
use crate::route::Route;

pub(super) fn routes() -> [Route; 1] {
    [Route::new(
        Method::GET,
        "/api/messages/search",
        "Messages",
        "Find messages among those that you may read, newest first",
        search,
    )
    .query::<Search>()
    .data::<Found>()
    .reasons(&[
        ErrorReason::ConversationNotFound,
        ErrorReason::SearchTooBroad,
        ErrorReason::SearchOff,
    ])]
}

async fn search(
    State(api): State<Api>,
    Bearer(user): Bearer,
    QueryOf(request): QueryOf<Search>,
) -> Answer<Found> {
    if request.limit == Some(0) {
        return Err(nothing_wanted().into());
    }
    answer(api.admission.read(api.search.find(user, &request)).await)
}
