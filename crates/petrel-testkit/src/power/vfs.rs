//! A file system for SQLite that passes everything on to the real one and writes it down.
//!
//! All that is unsafe is here. Files outside the watched directories are passed on and
//! forgotten.

use std::cell::Cell;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use rusqlite::ffi;

use super::recording::journal_of;
use super::{Entry, FileId, Journal};

/// An open file as SQLite sees it. The real file system's part follows it in memory.
#[repr(C)]
struct ShimFile {
    base: ffi::sqlite3_file,
    /// From `Box::into_raw`, or null for a file that is not watched.
    trace: *mut Trace,
}

/// How to write down what is done to an open file.
struct Trace {
    journal: Arc<Journal>,
    file: FileId,
    /// The directory to sync with the next sync of the file, as the real one does.
    directory_to_sync: Cell<Option<PathBuf>>,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

/// Puts the shim in front of the default file system and makes it the default.
pub(super) fn register() -> c_int {
    // SAFETY: a null name asks for the default, which lives as long as the process.
    let real = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if real.is_null() {
        return ffi::SQLITE_ERROR;
    }
    // SAFETY: it is not null, and nobody changes it.
    let (size, path_max) = unsafe { ((*real).szOsFile, (*real).mxPathname) };
    let Ok(own_size) = c_int::try_from(size_of::<ShimFile>()) else {
        return ffi::SQLITE_ERROR;
    };
    let shim = Box::leak(Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: own_size + size,
        mxPathname: path_max,
        pNext: ptr::null_mut(),
        zName: c"petrel-recording".as_ptr(),
        pAppData: real.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(get_last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: the shim is leaked, so it lives as long as the process.
    unsafe { ffi::sqlite3_vfs_register(shim, 1) }
}

/// The real file system behind the shim.
///
/// # Safety
///
/// `vfs` is the shim.
unsafe fn real_vfs(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `register` has put it there.
    unsafe { (*vfs).pAppData.cast() }
}

/// The real file behind a file of the shim.
///
/// # Safety
///
/// `file` was made by `open`, or is the memory given to it.
unsafe fn real_file(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite gives `szOsFile` bytes, in which the real file follows the shim's own
    // part, whose size is a multiple of any alignment that the real one needs.
    unsafe { file.cast::<ShimFile>().add(1).cast() }
}

/// How to write down what is done to a file.
///
/// # Safety
///
/// `file` was made by `open` and is not closed while the result is in use.
unsafe fn trace<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Trace> {
    // SAFETY: `open` has put null or a box there, which only `close` frees. A file belongs
    // to one connection, and so to one thread at a time.
    unsafe { (*file.cast::<ShimFile>()).trace.as_ref() }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`, and what the real call wants.
    unsafe {
        let shim = file.cast::<ShimFile>();
        (*shim).base.pMethods = ptr::null();
        (*shim).trace = ptr::null_mut();
        let (real_vfs, real) = (real_vfs(vfs), real_file(file));
        (*real).pMethods = ptr::null();
        let Some(real_open) = (*real_vfs).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = real_open(real_vfs, name, real, flags, out_flags);
        if code != ffi::SQLITE_OK {
            if let Some(real_close) = (*real).pMethods.as_ref().and_then(|it| it.xClose) {
                real_close(real);
            }
            return code;
        }
        if !name.is_null() && flags & ffi::SQLITE_OPEN_DELETEONCLOSE == 0 {
            (*shim).trace = start_trace(path_of(name), flags);
        }
        (*shim).base.pMethods = &raw const METHODS;
        ffi::SQLITE_OK
    }
}

/// What goes with a file that was opened; null if nobody watches it.
fn start_trace(path: &Path, flags: c_int) -> *mut Trace {
    const JOURNALS: c_int =
        ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
    let Some((journal, relative)) = journal_of(path) else {
        return ptr::null_mut();
    };
    let file = journal.opened(&relative, || std::fs::read(path).unwrap_or_default());
    // SQLite's Unix file system marks journals that it may have created, and syncs their
    // directory after their first sync.
    let marked = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & JOURNALS != 0;
    let directory = relative.parent().filter(|_| marked).map(Path::to_owned);
    Box::into_raw(Box::new(Trace { journal, file, directory_to_sync: Cell::new(directory) }))
}

/// # Safety
///
/// `name` is a C string that outlives the result.
unsafe fn path_of<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: the caller says so.
    let name = unsafe { CStr::from_ptr(name) };
    Path::new(OsStr::from_bytes(name.to_bytes()))
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_directory: c_int,
) -> c_int {
    // SAFETY: SQLite gives what the real call wants, and `name` is a C string.
    let (real, path) = unsafe { (real_vfs(vfs), path_of(name)) };
    let watched = journal_of(path);
    let before = watched.as_ref().map_or(0, |(journal, _)| journal.position());
    // SAFETY: as above.
    let code = unsafe {
        match (*real).xDelete {
            Some(real_delete) => real_delete(real, name, sync_directory),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    };
    if code == ffi::SQLITE_OK
        && let Some((journal, path)) = watched
    {
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let durable = sync_directory != 0;
        journal.deleted(path, durable);
        if durable {
            journal.push(Entry::DirectorySynced { directory, before });
        }
    }
    code
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `file` was made by `open`; SQLite does not use it after this call.
    unsafe {
        let shim = file.cast::<ShimFile>();
        if !(*shim).trace.is_null() {
            drop(Box::from_raw((*shim).trace));
            (*shim).trace = ptr::null_mut();
        }
        let real = real_file(file);
        (*(*real).pMethods).xClose.map_or(ffi::SQLITE_OK, |real_close| real_close(real))
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    size: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: `file` was made by `open`, and `data` holds `size` bytes.
    unsafe {
        let real = real_file(file);
        let Some(real_write) = (*(*real).pMethods).xWrite else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let code = real_write(real, data, size, offset);
        if code == ffi::SQLITE_OK
            && let Some(trace) = trace(file)
            && let (Ok(size), Ok(offset)) = (usize::try_from(size), u64::try_from(offset))
        {
            let bytes = std::slice::from_raw_parts(data.cast::<u8>(), size).to_vec();
            trace.journal.push(Entry::Written { file: trace.file, offset, bytes });
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: `file` was made by `open`.
    unsafe {
        let real = real_file(file);
        let Some(real_truncate) = (*(*real).pMethods).xTruncate else {
            return ffi::SQLITE_IOERR_TRUNCATE;
        };
        let code = real_truncate(real, size);
        if code == ffi::SQLITE_OK
            && let Some(trace) = trace(file)
            && let Ok(size) = u64::try_from(size)
        {
            trace.journal.push(Entry::Truncated { file: trace.file, size });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: `file` was made by `open`.
    unsafe {
        let trace = trace(file);
        // Writes of other connections that come while the sync runs are not part of it.
        let before = trace.map_or(0, |trace| trace.journal.position());
        let real = real_file(file);
        let Some(real_sync) = (*(*real).pMethods).xSync else {
            return ffi::SQLITE_IOERR_FSYNC;
        };
        let code = real_sync(real, flags);
        if code == ffi::SQLITE_OK
            && let Some(trace) = trace
        {
            trace.journal.push(Entry::Synced { file: trace.file, before });
            if let Some(directory) = trace.directory_to_sync.take() {
                trace.journal.push(Entry::DirectorySynced { directory, before });
            }
        }
        code
    }
}

/// Functions that pass a call on to the real file.
macro_rules! pass_on_to_file {
    ($(fn $name:ident = $method:ident($($argument:ident: $kind:ty),*), or $absent:expr;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $kind),*) -> c_int {
            // SAFETY: `file` was made by `open`, and SQLite gives what the real call wants.
            unsafe {
                let real = real_file(file);
                match (*(*real).pMethods).$method {
                    Some(call) => call(real, $($argument),*),
                    None => $absent,
                }
            }
        }
    )*};
}

pass_on_to_file! {
    fn read = xRead(data: *mut c_void, size: c_int, offset: i64), or ffi::SQLITE_IOERR_READ;
    fn file_size = xFileSize(size: *mut i64), or ffi::SQLITE_IOERR_FSTAT;
    fn lock = xLock(level: c_int), or ffi::SQLITE_IOERR_LOCK;
    fn unlock = xUnlock(level: c_int), or ffi::SQLITE_IOERR_UNLOCK;
    fn check_reserved_lock = xCheckReservedLock(result: *mut c_int),
        or ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    fn file_control = xFileControl(what: c_int, argument: *mut c_void), or ffi::SQLITE_NOTFOUND;
    fn sector_size = xSectorSize(), or 0;
    fn device_characteristics = xDeviceCharacteristics(), or 0;
    fn shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, place: *mut *mut c_void),
        or ffi::SQLITE_IOERR_SHMMAP;
    fn shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int),
        or ffi::SQLITE_IOERR_SHMLOCK;
    fn shm_unmap = xShmUnmap(delete: c_int), or ffi::SQLITE_OK;
    fn fetch = xFetch(offset: i64, size: c_int, place: *mut *mut c_void), or ffi::SQLITE_OK;
    fn unfetch = xUnfetch(offset: i64, place: *mut c_void), or ffi::SQLITE_OK;
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: `file` was made by `open`.
    unsafe {
        let real = real_file(file);
        if let Some(barrier) = (*(*real).pMethods).xShmBarrier {
            barrier(real);
        }
    }
}

/// Functions that pass a call on to the real file system.
macro_rules! pass_on_to_vfs {
    ($(fn $name:ident = $method:ident($($argument:ident: $kind:ty),*);)*) => {$(
        unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs, $($argument: $kind),*) -> c_int {
            // SAFETY: `vfs` is the shim, and SQLite gives what the real call wants.
            unsafe {
                let real = real_vfs(vfs);
                match (*real).$method {
                    Some(call) => call(real, $($argument),*),
                    None => ffi::SQLITE_ERROR,
                }
            }
        }
    )*};
}

pass_on_to_vfs! {
    fn access = xAccess(name: *const c_char, flags: c_int, result: *mut c_int);
    fn full_pathname = xFullPathname(name: *const c_char, size: c_int, place: *mut c_char);
    fn randomness = xRandomness(size: c_int, place: *mut c_char);
    fn sleep = xSleep(microseconds: c_int);
    fn current_time = xCurrentTime(place: *mut f64);
    fn get_last_error = xGetLastError(size: c_int, place: *mut c_char);
    fn current_time_int64 = xCurrentTimeInt64(place: *mut i64);
}
