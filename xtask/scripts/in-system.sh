#!/bin/sh
# Runs a command in another system's files: in-system.sh ROOT REPOSITORY TARGET TOOLCHAIN COMMAND...
# As root, or as root of a user namespace (`unshare --user --map-auto --map-root-user`).
#
# All in a mount namespace of its own, so that nothing is left mounted. Not by chroot(1): in there nobody may make user
# namespaces, of which the tests make many.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if [ "${PERIGEE_IN_SYSTEM:-}" != mounted ]; then
    PERIGEE_IN_SYSTEM=mounted exec unshare --mount --propagation private "$0" "$@"
fi
root=$1 repository=$2 target=$3 toolchain=$4
shift 4
mount --bind "$root" "$root"
for folder in dev proc sys; do
    mount --rbind "/$folder" "$root/$folder"
done
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mkdir -p "$root$repository" "$target" "$repository/target"
mount --rbind "$repository" "$root$repository"
# What is built here would not run there.
mount --bind "$target" "$root$repository/target"
if [ -n "$toolchain" ]; then
    mkdir -p "$root$toolchain"
    mount --bind "$toolchain" "$root$toolchain"
    mount -o remount,ro,bind "$root$toolchain"
fi
cd "$root"
pivot_root . mnt
umount --lazy /mnt
cd "$repository"
[ -z "$toolchain" ] || PATH=$toolchain/bin:$PATH
export HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
unset PERIGEE_IN_SYSTEM
exec "$@"
