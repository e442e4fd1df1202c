//! The stack under a guest's: a guest's calls lie on the stack of the thread that calls it, and their limit is the engine's.
//! Our own threads have room for both. A program's first thread has what `ulimit -s` says; where that is less, a guest that
//! recurses would end the process before it reaches its limit.

use super::engine::THREAD_STACK;
use std::sync::OnceLock;
use std::thread::ThreadId;

/// The first thread, where its stack does not hold a guest's.
static SHORT: OnceLock<Option<ThreadId>> = OnceLock::new();

/// The largest stack that a guest is granted, and what the host's frames need above it.
const ENOUGH: u64 = 2 << 20;

/// Looks at the calling thread's stack. Called before a jail hides what is read for it.
pub(super) fn look() {
    SHORT.get_or_init(|| {
        let is_first = std::fs::read_link("/proc/self").ok()?.file_name()
            == std::fs::read_link("/proc/thread-self").ok()?.file_name();
        let is_short = limit(&std::fs::read_to_string("/proc/self/limits").ok()?)? < ENOUGH;
        (is_first && is_short).then(|| std::thread::current().id())
    });
}

/// The limit of the first thread's stack in bytes, by `/proc/self/limits`; `None` without a limit.
fn limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max stack size"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Does work in which guests are called, on a stack that is long enough: on another thread where the calling one has none.
///
/// # Errors
/// The system gives no thread.
pub fn with_guest_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    look();
    if SHORT.get().copied().flatten() != Some(std::thread::current().id()) {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("perigee-guest".to_owned()).stack_size(THREAD_STACK);
        let thread = thread.spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_limit_is_read_as_the_kernel_writes_it() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max data size             unlimited            unlimited            bytes     \n\
                    Max stack size            262144               unlimited            bytes     \n";
        assert_eq!(limit(text), Some(262_144));
        assert_eq!(limit(&text.replace("262144   ", "unlimited")), None);
        assert_eq!(limit(""), None);
    }

    #[test]
    fn work_is_done_and_its_panic_comes_through() {
        assert_eq!(with_guest_stack(|| 7).expect("a thread"), 7);
        assert!(std::panic::catch_unwind(|| with_guest_stack(|| -> u8 { panic!("in it") })).is_err());
    }
}
