//! Files, uploads, which messages refer to them, and garbage.
//!
//! What a file is called and the digest of what is in it go when the file goes, without a
//! trace: they are in `file_texts`, to which rows are only appended, and are zeroed there as
//! `overwrites` does it. The rows of zeros stay.

use petrel_types::{ConversationId, FileId, Seq, TimestampMs, UserId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::number::{bound, key};
use super::transaction::Transaction;
use super::write::WriteError;
use crate::{
    BegunUpload, FILE_BYTES_MIN, File, FileFacts, FileReference, FileState, FileUsage, NewUpload,
    Quota,
};

const FILES: &str = "SELECT id, owner, object, names.text, content_type, size, received,
                            digests.text, width, height, thumbnail, created_ms, expires_ms
                     FROM files JOIN file_texts AS names ON names.number = files.name
                     LEFT JOIN file_texts AS digests ON digests.number = files.digest";

/// Begins an upload, if there is room.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    upload: &NewUpload,
    quota: Quota,
) -> std::result::Result<BegunUpload, WriteError> {
    let connection = transaction.connection;
    let usage = usage(connection, upload.owner)?.with(upload.size.unwrap_or(0), true);
    if usage.uploads > u64::from(quota.uploads) {
        return Ok(BegunUpload::TooMany);
    }
    if usage.bytes > quota.bytes {
        return Ok(BegunUpload::NoRoom);
    }
    let name = append_text(connection, upload.name.as_bytes())?;
    let id = connection
        .prepare_cached(
            "INSERT INTO files (owner, object, name, content_type, size, received, created_ms,
                                expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
        )?
        .insert(params![
            upload.owner.get(),
            upload.object,
            name,
            upload.content_type,
            upload.size,
            upload.created.get(),
            upload.expires.get(),
        ])?;
    Ok(BegunUpload::Begun(FileId::new(id.cast_unsigned())))
}

/// Notes how much of an upload there is.
pub(super) fn advance(
    transaction: &Transaction<'_>,
    file: FileId,
    received: u64,
    expires: TimestampMs,
) -> std::result::Result<bool, WriteError> {
    let changed = transaction
        .connection
        .prepare_cached(
            "UPDATE files SET received = max(received, ?2), expires_ms = ?3
             WHERE id = ?1 AND digest IS NULL",
        )?
        .execute(params![key(file.get()), received, expires.get()])?;
    Ok(changed == 1)
}

/// Makes an upload a file, if there is room.
pub(super) fn complete(
    transaction: &Transaction<'_>,
    file: FileId,
    facts: &FileFacts,
    expires: TimestampMs,
    quota: Quota,
) -> std::result::Result<bool, WriteError> {
    let connection = transaction.connection;
    let Some(File { owner, state: FileState::Upload { size: reserved, .. }, .. }) =
        by_id(connection, file)?
    else {
        return Ok(false);
    };
    let (before, after) =
        (reserved.unwrap_or(0).max(FILE_BYTES_MIN), facts.size.max(FILE_BYTES_MIN));
    let usage = usage(connection, owner)?;
    if after > before && usage.bytes - before + after > quota.bytes {
        return Ok(false);
    }
    let digest = append_text(connection, &facts.sha256)?;
    let (width, height) = facts.dimensions.unzip();
    connection
        .prepare_cached(
            "UPDATE files SET size = ?2, received = ?2, content_type = ?3, digest = ?4, width = ?5,
                              height = ?6, thumbnail = ?7, expires_ms = ?8
             WHERE id = ?1",
        )?
        .execute(params![
            file.get(),
            facts.size,
            facts.content_type,
            digest,
            width,
            height,
            facts.thumbnail,
            expires.get(),
        ])?;
    Ok(true)
}

pub(super) fn by_id(connection: &Connection, file: FileId) -> Result<Option<File>> {
    connection
        .prepare_cached(&format!("{FILES} WHERE id = ?1"))?
        .query_row([key(file.get())], file_of)
        .optional()
}

pub(super) fn of_owner(
    connection: &Connection,
    owner: UserId,
    before: Option<FileId>,
    limit: u32,
) -> Result<Vec<File>> {
    let before = before.map_or(i64::MAX, |before| bound(before.get()));
    connection
        .prepare_cached(&format!("{FILES} WHERE owner = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"))?
        .query_map(params![key(owner.get()), before, limit], file_of)?
        .collect()
}

pub(super) fn usage(connection: &Connection, owner: UserId) -> Result<FileUsage> {
    connection
        .prepare_cached(
            "SELECT coalesce(sum(max(coalesce(size, 0), ?2)), 0), count(*),
                    count(*) FILTER (WHERE digest IS NULL)
             FROM files WHERE owner = ?1",
        )?
        .query_row(params![key(owner.get()), FILE_BYTES_MIN], |row| {
            Ok(FileUsage { bytes: row.get(0)?, files: row.get(1)?, uploads: row.get(2)? })
        })
}

pub(super) fn references_for(
    connection: &Connection,
    file: FileId,
    user: UserId,
    limit: u32,
) -> Result<Vec<(ConversationId, Seq)>> {
    connection
        .prepare_cached(
            "SELECT conversation, seq FROM file_references
             WHERE file = ?1 AND EXISTS (
                 SELECT 1 FROM members WHERE members.user = ?2
                    AND members.conversation = file_references.conversation)
             ORDER BY conversation DESC, seq DESC LIMIT ?3",
        )?
        .query_map(params![key(file.get()), key(user.get()), limit], |row| {
            Ok((ConversationId::new(row.get(0)?), Seq::new(row.get(1)?)))
        })?
        .collect()
}

/// Lets go of a file of `owner` that no message refers to.
pub(super) fn remove(
    transaction: &mut Transaction<'_>,
    owner: UserId,
    file: FileId,
) -> std::result::Result<bool, WriteError> {
    let found: bool = transaction
        .connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM files
                            WHERE id = ?1 AND owner = ?2 AND expires_ms IS NOT NULL)",
        )?
        .query_row([key(file.get()), key(owner.get())], |row| row.get(0))?;
    if found {
        discard(transaction, file)?;
    }
    Ok(found)
}

/// Lets go of what has expired.
pub(super) fn remove_expired(
    transaction: &mut Transaction<'_>,
    now: TimestampMs,
    limit: u32,
) -> std::result::Result<u32, WriteError> {
    let expired: Vec<u64> = transaction
        .connection
        .prepare_cached(
            "SELECT id FROM files WHERE expires_ms IS NOT NULL AND expires_ms <= ?1 LIMIT ?2",
        )?
        .query_map(params![bound(now.get()), limit], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for file in &expired {
        discard(transaction, FileId::new(*file))?;
    }
    Ok(u32::try_from(expired.len()).unwrap_or(u32::MAX))
}

pub(super) fn uploads_after(
    connection: &Connection,
    after: FileId,
    limit: u32,
) -> Result<Vec<File>> {
    connection
        .prepare_cached(&format!("{FILES} WHERE id > ?1 AND digest IS NULL ORDER BY id LIMIT ?2"))?
        .query_map(params![bound(after.get()), limit], file_of)?
        .collect()
}

pub(super) fn garbage(connection: &Connection, limit: u32) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT object FROM file_garbage ORDER BY object LIMIT ?1")?
        .query_map([limit], |row| row.get(0))?
        .collect()
}

pub(super) fn forget_garbage(
    transaction: &Transaction<'_>,
    objects: &[String],
) -> std::result::Result<(), WriteError> {
    for object in objects {
        transaction
            .connection
            .prepare_cached("DELETE FROM file_garbage WHERE object = ?1")?
            .execute([object])?;
    }
    Ok(())
}

/// Notes which messages refer to files, and lets go of those to which none does any more.
pub(super) fn write(transaction: &mut Transaction<'_>, references: &[FileReference]) -> Result<()> {
    let connection = transaction.connection;
    let mut released = Vec::new();
    for FileReference { file, conversation, seq, is_there } in references {
        let place = (key(file.get()), conversation.get(), seq.get());
        if *is_there {
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO file_references (file, conversation, seq)
                     SELECT id, ?2, ?3 FROM files WHERE id = ?1 AND digest IS NOT NULL",
                )?
                .execute(place)?;
            connection
                .prepare_cached(
                    "UPDATE files SET expires_ms = NULL WHERE id = ?1 AND digest IS NOT NULL",
                )?
                .execute([key(file.get())])?;
        } else {
            connection
                .prepare_cached(
                    "DELETE FROM file_references WHERE file = ?1 AND conversation = ?2 AND seq = ?3",
                )?
                .execute(place)?;
            released.push(*file);
        }
    }
    for file in released {
        discard_unless_referred_to(transaction, file)?;
    }
    Ok(())
}

/// Lets go of what only messages of a conversation before `before` refer to. To what it refers
/// as a whole, at seq 0, it goes on referring.
pub(super) fn trim(
    transaction: &mut Transaction<'_>,
    conversation: ConversationId,
    before: Seq,
) -> Result<()> {
    let files: Vec<u64> = transaction
        .connection
        .prepare_cached(
            "DELETE FROM file_references WHERE conversation = ?1 AND seq > 0 AND seq < ?2
             RETURNING file",
        )?
        .query_map([conversation.get(), before.get()], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for file in files {
        discard_unless_referred_to(transaction, FileId::new(file))?;
    }
    Ok(())
}

fn discard_unless_referred_to(transaction: &mut Transaction<'_>, file: FileId) -> Result<()> {
    let is_referred_to: bool = transaction
        .connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM file_references WHERE file = ?1)")?
        .query_row([key(file.get())], |row| row.get(0))?;
    if !is_referred_to {
        discard(transaction, file)?;
    }
    Ok(())
}

/// Makes the object of a file garbage, and forgets the file, if it is there.
fn discard(transaction: &mut Transaction<'_>, file: FileId) -> Result<()> {
    let connection = transaction.connection;
    let found: Option<(String, u64, Option<u64>)> = connection
        .prepare_cached("DELETE FROM files WHERE id = ?1 RETURNING object, name, digest")?
        .query_row([key(file.get())], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((object, name, digest)) = found else { return Ok(()) };
    #[cfg(feature = "mutants")]
    if crate::mutants::is("object-forgotten") {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO file_garbage (object) VALUES (?1)")?
        .execute([object])?;
    for number in [Some(name), digest].into_iter().flatten() {
        connection
            .prepare_cached(
                "UPDATE file_texts SET text = zeroblob(length(text)) WHERE number = ?1",
            )?
            .execute([number])?;
    }
    transaction.staged.overwrites = true;
    Ok(())
}

fn append_text(connection: &Connection, text: &[u8]) -> Result<u64> {
    let number =
        connection.prepare_cached("INSERT INTO file_texts (text) VALUES (?1)")?.insert([text])?;
    Ok(number.cast_unsigned())
}

fn file_of(row: &Row<'_>) -> Result<File> {
    let name: Vec<u8> = row.get(3)?;
    let (content_type, size) = (row.get(4)?, row.get::<_, Option<u64>>(5)?);
    let digest: Option<[u8; 32]> = row.get(7)?;
    let state = match (digest, size) {
        (Some(sha256), Some(size)) => {
            let dimensions: (Option<u32>, Option<u32>) = (row.get(8)?, row.get(9)?);
            let dimensions = dimensions.0.zip(dimensions.1);
            let thumbnail = row.get(10)?;
            FileState::Complete(FileFacts { size, content_type, sha256, dimensions, thumbnail })
        }
        _ => FileState::Upload { content_type, size, received: row.get(6)? },
    };
    Ok(File {
        id: FileId::new(row.get(0)?),
        owner: UserId::new(row.get(1)?),
        object: row.get(2)?,
        name: String::from_utf8_lossy(&name).into_owned(),
        created: TimestampMs::new(row.get(11)?),
        expires: row.get::<_, Option<u64>>(12)?.map(TimestampMs::new),
        state,
    })
}
