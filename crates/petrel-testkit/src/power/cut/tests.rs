use super::*;

const SEEDS: u64 = 200;

/// A journal of a fresh directory in which one file was created.
struct Fixture {
    journal: Journal,
    file: FileId,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(directory.path()).unwrap();
        let file = journal.opened(Path::new("file"), Vec::new);
        Self { journal, file, _directory: directory }
    }

    fn write(&self, offset: u64, bytes: &[u8]) {
        self.journal.push(Entry::Written { file: self.file, offset, bytes: bytes.to_vec() });
    }

    fn sync(&self, before: usize) {
        self.journal.push(Entry::Synced { file: self.file, before });
    }

    fn sync_all(&self) {
        let before = self.journal.position();
        self.sync(before);
        self.journal.push(Entry::DirectorySynced { directory: PathBuf::new(), before });
    }

    /// What is found in the file over many seeds; `None` if it is not there.
    fn found(&self, fate: Fate) -> Vec<Option<Vec<u8>>> {
        let position = self.journal.position();
        let image = |seed| Cut { position, fate, seed }.image(&self.journal);
        let mut found: Vec<_> =
            (0..SEEDS).map(|seed| image(seed).files.remove(Path::new("file"))).collect();
        found.sort();
        found.dedup();
        found
    }
}

#[test]
fn what_was_not_synced_is_lost() {
    let fixture = Fixture::new();
    fixture.write(0, b"one");
    fixture.sync_all();
    fixture.write(1, b"wo");
    assert_eq!(fixture.found(Fate::DropUnsynced), [Some(b"one".to_vec())]);
    assert_eq!(fixture.found(Fate::KeepAll), [Some(b"owo".to_vec())]);
    assert_eq!(fixture.found(Fate::Subset), [Some(b"one".to_vec()), Some(b"owo".to_vec())]);
}

#[test]
fn a_sync_covers_only_what_came_before_it_began() {
    let fixture = Fixture::new();
    fixture.write(0, b"one");
    fixture.sync_all();
    let before = fixture.journal.position();
    fixture.write(0, b"two");
    fixture.sync(before);
    assert_eq!(fixture.found(Fate::DropUnsynced), [Some(b"one".to_vec())]);
}

#[test]
fn writes_are_reordered_and_sizes_with_them() {
    let fixture = Fixture::new();
    fixture.write(0, b"old old");
    fixture.sync_all();
    fixture.write(0, b"new");
    fixture.journal.push(Entry::Truncated { file: fixture.file, size: 3 });
    fixture.write(0, b"end");
    let found = fixture.found(Fate::Subset);
    for possible in ["old old", "old", "new old", "new", "end old", "end"] {
        assert!(found.contains(&Some(possible.into())), "{possible} is never found: {found:?}");
    }
}

#[test]
fn a_write_is_torn_between_sectors_only() {
    let fixture = Fixture::new();
    fixture.write(0, &[1; 1500]);
    fixture.sync_all();
    fixture.write(500, &[2; 600]);
    // 500..512, 512..1024 and 1024..1100 are there or not: all, none, and six between.
    let found = fixture.found(Fate::Torn);
    assert_eq!(found.len(), 8);
    for content in found.into_iter().flatten() {
        assert!([500..512, 512..1024, 1024..1100].into_iter().all(|sector| {
            content[sector.clone()].iter().all(|byte| *byte == content[sector.start])
        }));
        assert!(content[..500].iter().chain(&content[1100..]).all(|byte| *byte == 1));
    }
}

#[test]
fn a_name_lasts_once_its_directory_is_synced() {
    let fixture = Fixture::new();
    fixture.write(0, b"one");
    let before = fixture.journal.position();
    fixture.sync(before);
    assert_eq!(fixture.found(Fate::DropUnsynced), [None]);
    assert_eq!(fixture.found(Fate::Subset), [None, Some(b"one".to_vec())]);
    fixture.sync_all();
    assert_eq!(fixture.found(Fate::Subset), [Some(b"one".to_vec())]);

    // A deleted file may come back, and the next one of its name may not be there.
    fixture.journal.deleted("file".into(), false);
    let file = fixture.journal.opened(Path::new("file"), || b"two".to_vec());
    fixture.journal.push(Entry::Synced { file, before: fixture.journal.position() });
    let found = fixture.found(Fate::Subset);
    assert_eq!(found, [None, Some(b"one".to_vec()), Some(b"two".to_vec())]);
    fixture.journal.deleted("file".into(), true);
    assert_eq!(fixture.found(Fate::Subset), [None]);
}

#[test]
fn room_without_data_reads_as_anything() {
    let fixture = Fixture::new();
    fixture.sync_all();
    fixture.write(0, b"data");
    let found = fixture.found(Fate::Subset);
    assert!(found.contains(&Some(vec![0; 4])));
    assert!(found.iter().flatten().any(|it| ![&[0; 4][..], b"data", b""].contains(&it.as_slice())));
}
