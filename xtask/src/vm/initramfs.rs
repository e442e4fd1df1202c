//! The image that a guest's kernel starts with: busybox, the modules by which it reaches its root, and a script.

use super::fetch::Bed;
use crate::command;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What a root on the host's tree (9p) or on a disk image (ext4) takes. ext4 asks for its checksum by a name that modules.dep has not.
const MODULES: [&str; 6] = ["virtio_pci", "9pnet_virtio", "9p", "virtio_blk", "crc32c_generic", "ext4"];

/// Mounts the root that the kernel's command line names, and goes on with its `bed.init`.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc
$b mount -t sysfs none /sys
$b mount -t devtmpfs none /dev
for module in $($b cat /order); do $b insmod /$module; done
disk=
for word in $($b cat /proc/cmdline); do
  case $word in bed.init=*) init=${word#bed.init=} ;; bed.disk) disk=1 ;; esac
done
if [ -n "$disk" ]; then
  $b mount -t ext4 /dev/vda /new
else
  $b mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,ro,msize=512000 host /new
fi
for folder in proc sys dev; do $b mount --move /$folder /new/$folder; done
exec $b switch_root /new $init
"#;

/// Makes the image.
pub(super) fn make(bed: &Bed) -> Result<()> {
    let tree = bed.folder.join("initramfs");
    let _ = fs::remove_dir_all(&tree);
    for folder in ["bin", "proc", "sys", "dev", "new"] {
        let path = tree.join(folder);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    fs::copy(bed.tool("busybox"), tree.join("bin/busybox")).context("no busybox")?;
    let modules = bed.folder.join("kernel/lib/modules").join(&bed.release);
    let text = fs::read_to_string(modules.join("modules.dep")).context("no modules.dep")?;
    let mut order = String::new();
    for path in in_order(&text) {
        let file = path.rsplit('/').next().unwrap_or(path);
        let plain = file.trim_end_matches(".xz");
        copy_module(&modules.join(path), &tree.join(plain))?;
        order += &format!("{plain}\n");
    }
    fs::write(tree.join("order"), order).context("cannot write the modules' order")?;
    let init = tree.join("init");
    fs::write(&init, INIT).context("cannot write the guest's first script")?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).context("cannot make it executable")?;
    let script = r#"cd "$1"; find . | "$2" cpio -o -H newc 2>/dev/null | gzip -1 > "$3""#;
    let mut pack = Command::new("sh");
    command::run(pack.args(["-ec", script, "sh"]).arg(&tree).arg(bed.tool("busybox")).arg(bed.initramfs()))
}

/// The modules' files, each behind those that it needs. A line of modules.dep names these in the reverse of that order.
fn in_order(text: &str) -> Vec<&str> {
    let needs: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let mut order: Vec<&str> = Vec::new();
    for name in MODULES {
        let is_it = |path: &&str| path.rsplit('/').next().is_some_and(|file| file.split('.').next() == Some(name));
        let Some(path) = needs.keys().copied().find(is_it) else {
            // Built into the kernel.
            continue;
        };
        for file in needs[path].split_whitespace().rev().chain([path]) {
            if !order.contains(&file) {
                order.push(file);
            }
        }
    }
    order
}

/// Newer kernels have their modules packed, which busybox does not read.
fn copy_module(from: &Path, to: &Path) -> Result<()> {
    if from.extension().is_some_and(|ending| ending == "xz") {
        let plain = Command::new("xz").arg("-dc").arg(from).output().context("cannot start xz")?;
        return fs::write(to, plain.stdout).with_context(|| format!("cannot write {}", to.display()));
    }
    fs::copy(from, to).map(|_| ()).with_context(|| format!("cannot copy {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_comes_behind_what_it_needs() {
        let text = "k/fs/9p/9p.ko: k/fs/netfs.ko k/net/9pnet.ko\nk/net/9pnet.ko:\nk/fs/netfs.ko:\n\
                    k/fs/ext4/ext4.ko.xz: k/lib/crc16.ko.xz k/fs/jbd2.ko.xz\n";
        let order = in_order(text);
        assert_eq!(
            order,
            [
                "k/net/9pnet.ko",
                "k/fs/netfs.ko",
                "k/fs/9p/9p.ko",
                "k/fs/jbd2.ko.xz",
                "k/lib/crc16.ko.xz",
                "k/fs/ext4/ext4.ko.xz",
            ]
        );
    }
}
