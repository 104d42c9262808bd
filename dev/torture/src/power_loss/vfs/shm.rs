//! The part of the VFS that is about the memory which connections to one write-ahead log share.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rusqlite::ffi;

use super::{SHARED, opened};

// SAFETY of all that follow: SQLite calls a method with a file that `open` has given it and that is
// not closed.

pub(super) unsafe extern "C" fn map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    address: *mut *mut c_void,
) -> c_int {
    // SAFETY: see above; `address` is a pointer to be filled in. The region lives until the last
    // connection has unmapped.
    unsafe {
        let opened = opened(file);
        let path = opened.path.clone();
        let (memory, _) = opened.shared.get_or_insert_with(|| {
            // Joined under the lock, or the last one to leave could take it away in between.
            let mut all = super::lock(&SHARED);
            let memory = all.entry(path).or_default().clone();
            let slots = memory.join();
            (memory, slots)
        });
        *address = memory
            .region(region as usize, size as usize, extend != 0)
            .map_or(ptr::null_mut(), <*mut AtomicU64>::cast);
    }
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: see above.
    let opened = unsafe { opened(file) };
    let Some((memory, slots)) = &mut opened.shared else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    let range = first as usize..(first + count) as usize;
    let exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
    let granted = match flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        true => {
            memory.unlock(slots, range);
            true
        }
        false => memory.lock(slots, range, exclusive),
    };
    match granted {
        true => ffi::SQLITE_OK,
        false => ffi::SQLITE_BUSY,
    }
}

pub(super) unsafe extern "C" fn barrier(_file: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
    // As SQLite's unix VFS does: a mutex is a barrier on every machine.
    drop(super::lock(&SHARED));
}

pub(super) unsafe extern "C" fn unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: see above.
    let opened = unsafe { opened(file) };
    if let Some((memory, slots)) = opened.shared.take() {
        let mut all = super::lock(&SHARED);
        if memory.leave(&slots) {
            all.remove(&opened.path);
        }
    }
    ffi::SQLITE_OK
}
