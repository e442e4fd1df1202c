//! Memory that a process may still take: of the machine, of its control groups, of its own limits.

use std::fs;
use std::path::{Path, PathBuf};

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that can be had now; `None` where the machine does not say.
    pub free: Option<Free>,
    /// Bytes that the machine has, or that the control groups of the process may have.
    pub total: Option<u64>,
    /// Address space that is left (`ulimit -v`); `None` where it is not limited.
    pub address_space: Option<u64>,
    /// Memory that may still be locked (`ulimit -l`); `None` where it is not limited.
    pub locked: Option<u64>,
    /// Pages of 2 MiB.
    pub huge: HugePages,
}

/// Bytes that can be had, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    pub bytes: u64,
    pub who: &'static str,
}

/// Huge pages of 2 MiB, whatever size is the machine's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HugePages {
    /// How many there are.
    pub total: u64,
    /// Those that nobody has and that are promised to nobody.
    pub free: u64,
}

/// What messages call the two places where free memory is read.
const OF_MACHINE: &str = "this machine has";
const OF_GROUP: &str = "its control group leaves";

impl Memory {
    /// Of this machine and process, now.
    pub fn now() -> Self {
        Self::read(Path::new("/"))
    }

    /// A machine of a test's own.
    #[doc(hidden)]
    pub fn with(free: u64, total: u64) -> Self {
        Self { free: Some(Free { bytes: free, who: OF_MACHINE }), total: Some(total), ..Self::default() }
    }

    fn read(root: &Path) -> Self {
        let meminfo = text(&root.join("proc/meminfo"));
        let kib = |key: &str| field(&meminfo, key).map(|kib| kib.saturating_mul(1_024));
        let machine = kib("MemAvailable:").map(|bytes| Free { bytes, who: OF_MACHINE });
        let groups = groups(root);
        let group = groups.iter().map(|group| group.free).min().map(|bytes| Free { bytes, who: OF_GROUP });
        let status = text(&root.join("proc/self/status"));
        let used = |key: &str| field(&status, key).unwrap_or(0).saturating_mul(1_024);
        let limits = text(&root.join("proc/self/limits"));
        let left = |limit: &str, used: u64| soft_limit(&limits, limit).map(|limit| limit.saturating_sub(used));
        Self {
            free: [machine, group].into_iter().flatten().min_by_key(|free| free.bytes),
            total: kib("MemTotal:").into_iter().chain(groups.iter().map(|group| group.most)).min(),
            address_space: left("Max address space", used("VmSize:")),
            locked: left("Max locked memory", used("VmLck:")),
            huge: HugePages::read(root),
        }
    }
}

impl HugePages {
    /// Bytes of one.
    pub const SIZE: usize = 2 << 20;

    /// Of this machine, now.
    pub fn now() -> Self {
        Self::read(Path::new("/"))
    }

    /// From the folder of this size: /proc/meminfo counts pages of the default size, which may be 1 GiB.
    fn read(root: &Path) -> Self {
        let folder = root.join("sys/kernel/mm/hugepages/hugepages-2048kB");
        let count = |file: &str| text(&folder.join(file)).trim().parse::<u64>().unwrap_or(0);
        Self { total: count("nr_hugepages"), free: count("free_hugepages").saturating_sub(count("resv_hugepages")) }
    }
}

/// A control group that limits memory.
struct Group {
    most: u64,
    free: u64,
}

/// The groups that this process is in, and those around them.
fn groups(root: &Path) -> Vec<Group> {
    let mounted = root.join("sys/fs/cgroup");
    let list = text(&root.join("proc/self/cgroup"));
    let mut found = Vec::new();
    for line in list.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (base, files) = match controllers {
            "" => (mounted.clone(), ["memory.max", "memory.current", "inactive_file "]),
            _ if controllers.split(',').any(|name| name == "memory") => {
                let files = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "];
                (mounted.join("memory"), files)
            }
            _ => continue,
        };
        // In a namespace of its own the path may lead out of what is mounted: then the mount itself is the group.
        let inner = base.join(path.trim_start_matches('/'));
        let inner = if inner.is_dir() { inner } else { base.clone() };
        let folders: Vec<PathBuf> =
            inner.ancestors().take_while(|folder| folder.starts_with(&base)).map(Path::to_owned).collect();
        found.extend(folders.iter().filter_map(|folder| group(folder, files)));
    }
    found
}

/// One group's limit, where it has one ("max" is no number). What it has cached of files can be taken from it.
fn group(folder: &Path, [most, used, cached]: [&str; 3]) -> Option<Group> {
    let number = |file: &str| text(&folder.join(file)).trim().parse::<u64>().ok();
    let (most, used) = (number(most)?, number(used).unwrap_or(0));
    let cached = field(&text(&folder.join("memory.stat")), cached).unwrap_or(0);
    Some(Group { most, free: most.saturating_sub(used.saturating_sub(cached)) })
}

/// The number behind a key that begins a line.
fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A soft limit of /proc/self/limits; `None` where it is unlimited.
fn soft_limit(text: &str, name: &str) -> Option<u64> {
    field(text, name)
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;

    /// A machine of these files.
    fn machine(files: &[(&str, &str)]) -> Memory {
        let root = tempfile::tempdir().expect("a folder");
        for (file, content) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("its own folder");
            fs::write(file, content).expect("its own folder");
        }
        Memory::read(root.path())
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       4096 kB\nMemAvailable:   2048 kB\nHugePages_Total:  3\nHugePages_Free:   3\nHugepagesize: 1048576 kB\n",
    );

    #[test]
    fn a_group_may_leave_less_than_the_machine() {
        let plain = machine(&[MEMINFO]);
        assert_eq!(plain.free, Some(Free { bytes: 2 << 20, who: OF_MACHINE }));
        assert_eq!((plain.total, plain.address_space, plain.locked), (Some(4 << 20), None, None));
        let inner = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "1048576\n"),
            ("sys/fs/cgroup/a/memory.current", "524288\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 4096\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ]);
        assert_eq!(inner.free, Some(Free { bytes: (512 << 10) + 4_096, who: OF_GROUP }));
        assert_eq!(inner.total, Some(1 << 20));
        let old = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,memory:/not/mounted/here\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "0\n"),
        ]);
        assert_eq!(old.free, Some(Free { bytes: 8_192, who: OF_GROUP }));
    }

    #[test]
    fn limits_of_the_process_are_read() {
        let limited = machine(&[
            (
                "proc/self/limits",
                "Max locked memory         65536                65536                bytes\nMax address space         1048576              unlimited            bytes\n",
            ),
            ("proc/self/status", "VmSize:\t     512 kB\nVmLck:\t       4 kB\n"),
        ]);
        assert_eq!((limited.address_space, limited.locked), (Some(512 << 10), Some(60 << 10)));
    }

    #[test]
    fn huge_pages_are_those_of_two_mib_that_nobody_was_promised() {
        assert_eq!(machine(&[MEMINFO]).huge, HugePages::default(), "three free ones of 1 GiB");
        let folder = "sys/kernel/mm/hugepages/hugepages-2048kB";
        let files = [("nr_hugepages", "64"), ("free_hugepages", "40"), ("resv_hugepages", "8")];
        let files = files.map(|(file, content)| (format!("{folder}/{file}"), content));
        let files: Vec<(&str, &str)> = files.iter().map(|(file, content)| (file.as_str(), *content)).collect();
        assert_eq!(machine(&files).huge, HugePages { total: 64, free: 32 });
    }
}
