//! On which CPUs a thread may run.
#![allow(unsafe_code, reason = "calls into the kernel")]

/// The set of CPUs that a thread may run on.
pub struct Affinity(libc::cpu_set_t);

impl Affinity {
    /// Of the calling thread.
    pub fn read() -> Self {
        // SAFETY:
        // - a cpu_set_t is plain bits, for which all zero is a value.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY:
        // - 0 is the calling thread, and the set has the size that is stated.
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        Self(set)
    }

    /// Of any thread of this process, by its number; of the process's first one by the process's. Without CPUs that are
    /// offline; `None` where the kernel does not say.
    pub fn of(thread: u32) -> Option<Self> {
        // SAFETY:
        // - a cpu_set_t is plain bits, for which all zero is a value.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        let thread = libc::pid_t::try_from(thread).ok()?;
        // SAFETY:
        // - the set has the size that is stated; a number that is no thread's is an error.
        let code = unsafe { libc::sched_getaffinity(thread, size_of::<libc::cpu_set_t>(), &raw mut set) };
        (code == 0).then_some(Self(set))
    }

    /// The calling thread's number.
    pub fn thread() -> u32 {
        // SAFETY:
        // - it takes nothing and cannot fail.
        let number = unsafe { libc::gettid() };
        u32::try_from(number).unwrap_or(0)
    }

    /// The CPUs in it.
    pub fn cpus(&self) -> Vec<usize> {
        let max = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
        // SAFETY:
        // - every number below CPU_SETSIZE lies inside the set.
        (0..max).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &self.0) }).collect()
    }

    /// The first CPU in it.
    pub fn first(&self) -> usize {
        self.cpus().first().copied().unwrap_or(0)
    }

    /// Of the calling thread: back to this set.
    pub fn restore(&self) {
        // SAFETY:
        // - 0 is the calling thread, and the set has the size that is stated.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) };
    }

    /// Pins the calling thread to one CPU.
    pub fn pin(cpu: usize) -> Result<(), String> {
        // SAFETY:
        // - a cpu_set_t is plain bits, for which all zero is a value.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY:
        // - CPU_SET checks that the number lies inside the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
        // SAFETY:
        // - 0 is the calling thread, and the set has the size that is stated.
        let code = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
        if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
    }
}
