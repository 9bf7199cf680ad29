//! When the store froze a tail, finished a flush, or let the log begin again, as it says
//! itself.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static MOMENTS: Mutex<Vec<Moment>> = Mutex::new(Vec::new());

/// Something that the store did.
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) what: String,
}

struct Listener;

/// Listens from now on.
pub(crate) fn listen() {
    tracing::subscriber::set_global_default(Listener).unwrap();
}

/// What has happened since the last call.
pub(crate) fn take() -> Vec<Moment> {
    std::mem::take(&mut *MOMENTS.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("petrel_store")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let moment = Moment { at: Instant::now(), what: message.0 };
        MOMENTS.lock().unwrap_or_else(PoisonError::into_inner).push(moment);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
