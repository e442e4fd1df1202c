//! What this process may do, as far as ports need it.

use std::fs;

/// Capabilities, by linux/capability.h.
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const IPC_LOCK: u32 = 14;
const SYS_ADMIN: u32 = 21;
const BPF: u32 = 39;

/// The rights of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    capabilities: u64,
    /// It is in the machine's own user namespace: the rights of another one do not reach everywhere.
    is_outside: bool,
}

impl Rights {
    /// Of this process, now.
    pub fn now() -> Self {
        let text = |file: &str| fs::read_to_string(file).unwrap_or_default();
        Self::read(&text("/proc/self/status"), &text("/proc/self/uid_map"))
    }

    /// Those of a user like any other, for tests.
    #[doc(hidden)]
    pub fn none() -> Self {
        Self { capabilities: 0, is_outside: true }
    }

    fn read(status: &str, uid_map: &str) -> Self {
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let capabilities = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok());
        let whole: Vec<&str> = uid_map.split_whitespace().collect();
        // Where the kernel does not tell, nothing is kept from anybody.
        Self {
            capabilities: capabilities.unwrap_or(u64::MAX),
            is_outside: uid_map.is_empty() || whole == ["0", "0", "4294967295"],
        }
    }

    /// It may make TAPs and change interfaces.
    pub fn net_admin(self) -> bool {
        self.has(NET_ADMIN)
    }

    /// It may open an interface.
    pub fn net_raw(self) -> bool {
        self.has(NET_RAW)
    }

    /// It may give interfaces XDP programs.
    pub fn xdp(self) -> bool {
        self.is_outside && self.has(NET_ADMIN) && self.has(NET_RAW) && (self.has(BPF) || self.has(SYS_ADMIN))
    }

    /// It may lock as much memory as it likes.
    pub fn ipc_lock(self) -> bool {
        self.is_outside && self.has(IPC_LOCK)
    }

    fn has(self, capability: u32) -> bool {
        self.capabilities & (1 << capability) != 0
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_user_namespace_reaches_less_far() {
        let whole = "         0          0 4294967295\n";
        let root = Rights::read("CapEff:\t000001ffffffffff\n", whole);
        assert!(root.net_admin() && root.net_raw() && root.xdp() && root.ipc_lock());
        let inside = Rights::read("CapEff:\t000001ffffffffff\n", "         0       1000          1\n");
        assert!(inside.net_admin() && inside.net_raw() && !inside.xdp() && !inside.ipc_lock());
        let nobody = Rights::read("CapEff:\t0000000000000000\n", whole);
        assert!(!nobody.net_admin() && !nobody.net_raw() && !nobody.xdp() && !nobody.ipc_lock());
        let by_file = Rights::read("CapEff:\t0000000000002000\n", whole);
        assert!(by_file.net_raw() && !by_file.net_admin());
    }
}
