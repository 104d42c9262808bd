//! SQLite's way to the disks in memory: a VFS, which becomes the default of the process.
//!
//! The functions below are called by SQLite with the pointers that its documentation of
//! `sqlite3_vfs` and `sqlite3_io_methods` guarantee; each comment says which of that is relied on.

#![expect(
    unsafe_code,
    reason = "SQLite takes a disk as a table of C functions only"
)]

mod shm;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi;

use super::disk::{Disk, FileId, Lock};
use super::shared_memory::{SharedMemory, Slots};

/// The disks there are, by the folder they stand for.
static DISKS: Mutex<BTreeMap<String, Arc<Disk>>> = Mutex::new(BTreeMap::new());

/// The shared memory of the files that are open, by name.
static SHARED: Mutex<BTreeMap<String, Arc<SharedMemory>>> = Mutex::new(BTreeMap::new());

/// A folder whose files lie on a disk in memory, for SQLite.
#[derive(Debug)]
pub(crate) struct Mount {
    folder: String,
}

impl Mount {
    /// Puts the disk at this folder. The first one makes the VFS the default of the process: other
    /// folders cannot be used for databases from then on.
    pub(crate) fn new(folder: impl Into<String>, disk: Arc<Disk>) -> Self {
        install();
        let folder = folder.into();
        lock(&DISKS).insert(folder.clone(), disk);
        Self { folder }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        lock(&DISKS).remove(&self.folder);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn disk_of(path: &str) -> Option<Arc<Disk>> {
    let (folder, _) = path.rsplit_once('/')?;
    lock(&DISKS).get(folder).cloned()
}

/// SQLite's part of an open file: it allocates the size of this.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    file: *mut OpenFile,
}

struct OpenFile {
    disk: Arc<Disk>,
    path: String,
    id: FileId,
    handle: usize,
    delete_on_close: bool,
    shared: Option<(Arc<SharedMemory>, Slots)>,
}

fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // SAFETY: the default VFS exists for as long as the process, and is only read; ours is
        // leaked, so that it exists as long. Its functions are those of this module, and the
        // default's for the clock and for random numbers, which do not look at the VFS.
        let code = unsafe {
            let system = ffi::sqlite3_vfs_find(ptr::null());
            let vfs = Box::leak(Box::new(*system));
            vfs.pNext = ptr::null_mut();
            vfs.zName = c"torture".as_ptr();
            vfs.szOsFile = size_of::<Handle>() as c_int;
            vfs.mxPathname = 1_024;
            vfs.pAppData = ptr::null_mut();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            vfs.xAccess = Some(access);
            vfs.xFullPathname = Some(full_pathname);
            ffi::sqlite3_vfs_register(vfs, 1)
        };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes no VFS");
    });
}

/// SAFETY: `file` is one that [`open`] has filled in.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a mut OpenFile {
    // SAFETY: `open` has put a box there that lives until `close`; SQLite uses a file from one
    // thread at a time.
    unsafe { &mut *(*file.cast::<Handle>()).file }
}

/// SAFETY: `name` is null or a C string.
unsafe fn text(name: *const c_char) -> Option<String> {
    if name.is_null() {
        return None;
    }
    // SAFETY: it is a C string, says the caller.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_string_lossy().into_owned())
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` points to `szOsFile` bytes, `name` is null or a C string, and `out_flags`
    // null or an integer. A file without methods is not closed.
    unsafe {
        (*file).pMethods = ptr::null();
        let named = text(name);
        let temporary = named.is_none();
        // A temporary file has a disk of its own.
        let path = named.unwrap_or_else(|| "temporary".to_owned());
        let disk = match temporary {
            true => Some(Arc::default()),
            false => disk_of(&path),
        };
        let Some(disk) = disk else {
            return ffi::SQLITE_CANTOPEN;
        };
        let create = temporary || flags & ffi::SQLITE_OPEN_CREATE != 0;
        let enters_directory = flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL) != 0;
        let Some((id, handle)) = disk.open(&path, create, enters_directory) else {
            return ffi::SQLITE_CANTOPEN;
        };
        let opened = OpenFile {
            disk,
            path,
            id,
            handle,
            delete_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
            shared: None,
        };
        (*file.cast::<Handle>()).file = Box::into_raw(Box::new(opened));
        if !out_flags.is_null() {
            *out_flags = flags;
        }
        (*file).pMethods = &METHODS;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync: c_int,
) -> c_int {
    // SAFETY: `name` is a C string.
    let Some(path) = (unsafe { text(name) }) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    match disk_of(&path).is_some_and(|disk| disk.delete(&path, sync != 0)) {
        true => ffi::SQLITE_OK,
        false => ffi::SQLITE_IOERR_DELETE_NOENT,
    }
}

unsafe extern "C" fn access(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: `name` is a C string, `answer` an integer.
    unsafe {
        let there =
            text(name).is_some_and(|path| disk_of(&path).is_some_and(|it| it.exists(&path)));
        *answer = c_int::from(there);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: `name` is a C string, `out` has room for `len` bytes, its NUL included.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > len as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock_file),
    xUnlock: Some(unlock_file),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm::map),
    xShmLock: Some(shm::lock),
    xShmBarrier: Some(shm::barrier),
    xShmUnmap: Some(shm::unmap),
    xFetch: None,
    xUnfetch: None,
};

// SAFETY of all that follow: SQLite calls a method with a file that `open` has given it and that is
// not closed, and with buffers as long as it says.

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: see above; it is not used any more after this.
    unsafe {
        shm::unmap(file, 0);
        let opened = Box::from_raw((*file.cast::<Handle>()).file);
        opened.disk.close(opened.id, opened.handle);
        if opened.delete_on_close {
            opened.disk.delete(&opened.path, false);
        }
        (*file).pMethods = ptr::null();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: see above; the bytes are initialized first.
    unsafe {
        let opened = opened(file);
        ptr::write_bytes(into.cast::<u8>(), 0, len as usize);
        let into = std::slice::from_raw_parts_mut(into.cast::<u8>(), len as usize);
        match opened.disk.read(opened.id, offset as usize, into) == into.len() {
            true => ffi::SQLITE_OK,
            false => ffi::SQLITE_IOERR_SHORT_READ,
        }
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: see above.
    unsafe {
        let opened = opened(file);
        let data = std::slice::from_raw_parts(from.cast::<u8>(), len as usize);
        opened.disk.write(opened.id, offset as usize, data);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let opened = unsafe { opened(file) };
    opened.disk.truncate(opened.id, len as usize);
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: see above.
    let opened = unsafe { opened(file) };
    opened.disk.sync(opened.id);
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: see above; `size` is an integer.
    unsafe {
        let opened = opened(file);
        *size = opened.disk.len(opened.id) as ffi::sqlite3_int64;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock_file(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: see above.
    let opened = unsafe { opened(file) };
    let granted =
        lock_of(level).is_none_or(|lock| opened.disk.lock(opened.id, opened.handle, lock));
    match granted {
        true => ffi::SQLITE_OK,
        false => ffi::SQLITE_BUSY,
    }
}

unsafe extern "C" fn unlock_file(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: see above.
    let opened = unsafe { opened(file) };
    opened.disk.unlock(opened.id, opened.handle, lock_of(level));
    ffi::SQLITE_OK
}

fn lock_of(level: c_int) -> Option<Lock> {
    match level {
        ffi::SQLITE_LOCK_SHARED => Some(Lock::Shared),
        ffi::SQLITE_LOCK_RESERVED => Some(Lock::Reserved),
        ffi::SQLITE_LOCK_PENDING => Some(Lock::Pending),
        ffi::SQLITE_LOCK_EXCLUSIVE => Some(Lock::Exclusive),
        _ => None,
    }
}

unsafe extern "C" fn check_reserved_lock(
    file: *mut ffi::sqlite3_file,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: see above; `answer` is an integer.
    unsafe {
        let opened = opened(file);
        *answer = c_int::from(opened.disk.is_reserved(opened.id));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    _file: *mut ffi::sqlite3_file,
    _operation: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    4_096
}

/// As SQLite's unix VFS has it: a write that is torn leaves the bytes around it alone.
unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
