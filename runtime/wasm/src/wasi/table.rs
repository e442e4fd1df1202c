//! The names and types of WASI preview 1, whole: a module that names a function which does nothing here still loads.

use super::{BAD_FILE, EXIT, NO_SEEK, NOT_OFFERED, SUCCESS};
use wasmtime::ValType;

/// All functions of preview 1 with their parameters: `i` is an i32, `I` an i64. What is not linked by name below gives the
/// error number, and does nothing.
pub(super) const FUNCTIONS: [(&str, &str, i32); 46] = [
    ("args_get", "ii", SUCCESS),
    ("args_sizes_get", "ii", SUCCESS),
    ("clock_res_get", "ii", SUCCESS),
    ("clock_time_get", "iIi", SUCCESS),
    ("environ_get", "ii", SUCCESS),
    ("environ_sizes_get", "ii", SUCCESS),
    ("fd_advise", "iIIi", BAD_FILE),
    ("fd_allocate", "iII", BAD_FILE),
    ("fd_close", "i", BAD_FILE),
    ("fd_datasync", "i", BAD_FILE),
    ("fd_fdstat_get", "ii", SUCCESS),
    ("fd_fdstat_set_flags", "ii", NOT_OFFERED),
    ("fd_fdstat_set_rights", "iII", NOT_OFFERED),
    ("fd_filestat_get", "ii", BAD_FILE),
    ("fd_filestat_set_size", "iI", BAD_FILE),
    ("fd_filestat_set_times", "iIIi", BAD_FILE),
    ("fd_pread", "iiiIi", BAD_FILE),
    ("fd_prestat_dir_name", "iii", BAD_FILE),
    ("fd_prestat_get", "ii", BAD_FILE),
    ("fd_pwrite", "iiiIi", BAD_FILE),
    ("fd_read", "iiii", BAD_FILE),
    ("fd_readdir", "iiiIi", BAD_FILE),
    ("fd_renumber", "ii", BAD_FILE),
    ("fd_seek", "iIii", NO_SEEK),
    ("fd_sync", "i", BAD_FILE),
    ("fd_tell", "ii", NO_SEEK),
    ("fd_write", "iiii", SUCCESS),
    ("path_create_directory", "iii", BAD_FILE),
    ("path_filestat_get", "iiiii", BAD_FILE),
    ("path_filestat_set_times", "iiiiIIi", BAD_FILE),
    ("path_link", "iiiiiii", BAD_FILE),
    ("path_open", "iiiiiIIii", BAD_FILE),
    ("path_readlink", "iiiiii", BAD_FILE),
    ("path_remove_directory", "iii", BAD_FILE),
    ("path_rename", "iiiiii", BAD_FILE),
    ("path_symlink", "iiiii", BAD_FILE),
    ("path_unlink_file", "iii", BAD_FILE),
    ("poll_oneoff", "iiii", SUCCESS),
    (EXIT, "i", SUCCESS),
    ("proc_raise", "i", NOT_OFFERED),
    ("random_get", "ii", SUCCESS),
    ("sched_yield", "", SUCCESS),
    ("sock_accept", "iii", NOT_OFFERED),
    ("sock_recv", "iiiiii", NOT_OFFERED),
    ("sock_send", "iiiii", NOT_OFFERED),
    ("sock_shutdown", "ii", NOT_OFFERED),
];

/// What is said of an import that is named, but has another type than WASI gives it. `None` where it is not named.
pub fn check(name: &str, import: &wasmtime::ExternType) -> Option<Result<(), String>> {
    let (_, parameters, _) = FUNCTIONS.iter().find(|(known, ..)| *known == name)?;
    let fits = import.func().is_some_and(|f| {
        let same = |(of, letter): (ValType, u8)| if letter == b'I' { of.is_i64() } else { of.is_i32() };
        let results = usize::from(name != EXIT);
        f.params().len() == parameters.len()
            && f.params().zip(parameters.bytes()).all(same)
            && f.results().len() == results
            && f.results().all(|r| r.is_i32())
    });
    let words: Vec<_> = parameters.chars().map(|c| if c == 'I' { "i64" } else { "i32" }).collect();
    let result = if name == EXIT { "()" } else { "i32" };
    Some(if fits { Ok(()) } else { Err(format!("a function ({}) -> {result}", words.join(", "))) })
}
