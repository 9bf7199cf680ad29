//! Files in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use petrel_types::{ConversationId, FileId, Seq, TimestampMs, UserId};

use super::MemoryStore;
use crate::{
    BegunUpload, FILE_BYTES_MIN, File, FileFacts, FileReference, FileState, FileStore, FileUsage,
    NewUpload, Quota, StoreError,
};

#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<FileId, File>,
    references: BTreeSet<(FileId, ConversationId, Seq)>,
    garbage: BTreeSet<String>,
    last_file: u64,
}

impl Files {
    /// The sizes of the files that are complete.
    pub(super) fn complete(&self) -> impl Iterator<Item = u64> {
        self.files.values().filter_map(|file| match &file.state {
            FileState::Complete(facts) => Some(facts.size),
            FileState::Upload { .. } => None,
        })
    }

    fn is_complete(&self, file: FileId) -> bool {
        let file = self.files.get(&file);
        file.is_some_and(|file| matches!(file.state, FileState::Complete(_)))
    }

    pub(super) fn refer(&mut self, references: &[FileReference]) {
        let mut released = Vec::new();
        for FileReference { file, conversation, seq, is_there } in references.iter().copied() {
            if is_there {
                if !self.is_complete(file) {
                    continue;
                }
                self.references.insert((file, conversation, seq));
                if let Some(file) = self.files.get_mut(&file) {
                    file.expires = None;
                }
            } else {
                self.references.remove(&(file, conversation, seq));
                released.push(file);
            }
        }
        for file in released {
            self.discard_unless_referred_to(file);
        }
    }

    pub(super) fn trim(&mut self, conversation: ConversationId, before: Seq) {
        let is_gone = |place: &&(FileId, ConversationId, Seq)| {
            place.1 == conversation && place.2 > Seq::ZERO && place.2 < before
        };
        let gone: Vec<_> = self.references.iter().filter(is_gone).copied().collect();
        for place in gone {
            self.references.remove(&place);
            self.discard_unless_referred_to(place.0);
        }
    }

    fn discard_unless_referred_to(&mut self, file: FileId) {
        let all = (file, ConversationId::new(0), Seq::ZERO)
            ..=(file, ConversationId::new(u64::MAX), Seq::new(u64::MAX));
        if self.references.range(all).next().is_none() {
            self.discard(file);
        }
    }

    fn discard(&mut self, file: FileId) {
        self.garbage.extend(self.files.remove(&file).map(|file| file.object));
    }

    fn usage(&self, owner: UserId) -> FileUsage {
        let own = self.files.values().filter(|file| file.owner == owner);
        own.fold(FileUsage::default(), |usage, file| match &file.state {
            FileState::Upload { size, .. } => usage.with(size.unwrap_or(0), true),
            FileState::Complete(facts) => usage.with(facts.size, false),
        })
    }
}

#[async_trait]
impl FileStore for MemoryStore {
    async fn begin_upload(
        &self,
        upload: NewUpload,
        quota: Quota,
    ) -> Result<BegunUpload, StoreError> {
        let files = &mut self.state()?.files;
        let NewUpload { owner, object, name, content_type, size, created, expires } = upload;
        let usage = files.usage(owner).with(size.unwrap_or(0), true);
        if usage.uploads > u64::from(quota.uploads) {
            return Ok(BegunUpload::TooMany);
        }
        if usage.bytes > quota.bytes {
            return Ok(BegunUpload::NoRoom);
        }
        files.last_file += 1;
        let id = FileId::new(files.last_file);
        let state = FileState::Upload { content_type, size, received: 0 };
        let file = File { id, owner, object, name, created, expires: Some(expires), state };
        files.files.insert(id, file);
        Ok(BegunUpload::Begun(id))
    }

    async fn advance_upload(
        &self,
        file: FileId,
        now_received: u64,
        expires: TimestampMs,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let Some(File { state: FileState::Upload { received, .. }, expires: until, .. }) =
            state.files.files.get_mut(&file)
        else {
            return Ok(false);
        };
        (*received, *until) = ((*received).max(now_received), Some(expires));
        Ok(true)
    }

    async fn complete_upload(
        &self,
        id: FileId,
        facts: FileFacts,
        expires: TimestampMs,
        quota: Quota,
    ) -> Result<bool, StoreError> {
        let files = &mut self.state()?.files;
        let Some(File { owner, state: FileState::Upload { size, .. }, .. }) = files.files.get(&id)
        else {
            return Ok(false);
        };
        let before = size.unwrap_or(0).max(FILE_BYTES_MIN);
        let after = facts.size.max(FILE_BYTES_MIN);
        if after > before && files.usage(*owner).bytes - before + after > quota.bytes {
            return Ok(false);
        }
        if let Some(file) = files.files.get_mut(&id) {
            (file.state, file.expires) = (FileState::Complete(facts), Some(expires));
        }
        Ok(true)
    }

    async fn file(&self, file: FileId) -> Result<Option<File>, StoreError> {
        Ok(self.state()?.files.files.get(&file).cloned())
    }

    async fn files_of(
        &self,
        owner: UserId,
        before: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<File>, StoreError> {
        let state = self.state()?;
        let newest_first = state.files.files.values().rev();
        let own = newest_first.filter(|file| file.owner == owner);
        let page = own.filter(|file| before.is_none_or(|before| file.id < before));
        Ok(page.take(limit as usize).cloned().collect())
    }

    async fn file_usage(&self, owner: UserId) -> Result<FileUsage, StoreError> {
        Ok(self.state()?.files.usage(owner))
    }

    async fn references_for(
        &self,
        file: FileId,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<(ConversationId, Seq)>, StoreError> {
        let state = self.state()?;
        let places = state.files.references.iter().rev().filter(|place| place.0 == file);
        let known = places.filter(|(_, conversation, _)| {
            let timeline = state.timelines.get(conversation);
            timeline.is_some_and(|timeline| timeline.members.contains_key(&user))
        });
        Ok(known.take(limit as usize).map(|place| (place.1, place.2)).collect())
    }

    async fn remove_file(&self, owner: UserId, id: FileId) -> Result<bool, StoreError> {
        let files = &mut self.state()?.files;
        let file = files.files.get(&id);
        let is_loose = file.is_some_and(|it| it.owner == owner && it.expires.is_some());
        if is_loose {
            files.discard(id);
        }
        Ok(is_loose)
    }

    async fn remove_expired_files(&self, now: TimestampMs, limit: u32) -> Result<u32, StoreError> {
        let files = &mut self.state()?.files;
        let is_over = |file: &&File| file.expires.is_some_and(|expires| expires <= now);
        let over = files.files.values().filter(is_over).map(|file| file.id);
        let over: Vec<_> = over.take(limit as usize).collect();
        over.iter().for_each(|file| files.discard(*file));
        Ok(u32::try_from(over.len()).unwrap_or(u32::MAX))
    }

    async fn uploads_after(&self, after: FileId, limit: u32) -> Result<Vec<File>, StoreError> {
        let state = self.state()?;
        let is_upload = |file: &&File| matches!(file.state, FileState::Upload { .. });
        let later = state.files.files.values().filter(|file| file.id > after).filter(is_upload);
        Ok(later.take(limit as usize).cloned().collect())
    }

    async fn garbage(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.state()?.files.garbage.iter().take(limit as usize).cloned().collect())
    }

    async fn forget_garbage(&self, objects: Vec<String>) -> Result<(), StoreError> {
        let garbage = &mut self.state()?.files.garbage;
        for object in &objects {
            garbage.remove(object);
        }
        Ok(())
    }
}
