//! The least that durability can cost: the same bytes, appended to a file and synced.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::measure::{Meter, Report};
use crate::workload::Workload;

pub(crate) fn run(place: &Path, workload: &Workload) -> Report {
    let mut generator = workload.generator();
    let mut file = File::create(place.join("log")).unwrap();
    let mut meter = Meter::start();
    for _ in 0..workload.messages.div_ceil(workload.batch as u64) {
        let batch = meter.generate(|| generator.batch());
        meter.commit(|| {
            let mut bytes = Vec::new();
            for event in &batch.events {
                bytes.extend(event.conversation.get().to_le_bytes());
                bytes.extend(event.seq.get().to_le_bytes());
                bytes.extend(event.sender.get().to_le_bytes());
                bytes.extend(event.timestamp.get().to_le_bytes());
                bytes.extend(event.client_message_id.as_ref().unwrap().as_str().as_bytes());
                bytes.extend(&event.payload);
            }
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        });
    }
    let messages = workload.messages.next_multiple_of(workload.batch as u64);
    meter.finish(workload.name("bare append"), messages, generator.logical_bytes)
}
