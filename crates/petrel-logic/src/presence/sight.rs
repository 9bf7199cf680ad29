//! Who may know whether somebody is online.

use petrel_store::{Store, StoreError};
use petrel_types::UserId;

use crate::Refusal;
use crate::own::Own;
use crate::pair::Pair;

/// Which of `others` are seen by `user`, in their order: friends and members of the same
/// groups, as far as neither of two blocks the other and the other does not hide. Users see
/// themselves.
pub(super) async fn who_is_seen(
    store: &dyn Store,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<bool>, Refusal> {
    let relations = store.relations(user, others).await.map_err(of_store)?;
    let mut seen = Vec::with_capacity(others.len());
    // Of those who are no friends, the groups decide.
    let mut peers = Vec::new();
    for (other, relation) in others.iter().copied().zip(relations) {
        let pair = Pair::decode(&relation.pair).map_err(of_store)?;
        let own = Own::decode(&relation.personal).map_err(of_store)?;
        let (is_hidden, is_blocked) = (own.presence_hidden, pair.check_reach(user, other).is_err());
        #[cfg(feature = "mutants")]
        let (is_hidden, is_blocked) = (
            is_hidden && !petrel_store::mutants::is("hidden-presence-is-seen"),
            is_blocked && !petrel_store::mutants::is("blocked-presence-is-seen"),
        );
        let is_open = !is_hidden && !is_blocked;
        seen.push(other == user || (is_open && pair.are_friends()));
        if is_open && !pair.are_friends() && other != user {
            peers.push((seen.len() - 1, other));
        }
    }
    if peers.is_empty() {
        return Ok(seen);
    }
    let (places, users): (Vec<_>, Vec<_>) = peers.into_iter().unzip();
    let shared = store.share_group(user, &users).await.map_err(of_store)?;
    for (place, is_shared) in places.into_iter().zip(shared) {
        seen[place] = is_shared;
    }
    Ok(seen)
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}
