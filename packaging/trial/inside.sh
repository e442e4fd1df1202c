# Starts a command in the system $1 as a container does: in namespaces of its own, with /proc, /sys, a few devices and two interfaces
# that are joined. DPDK looks for CPUs and for vfio in /sys, and does not start without.
set -eu
exec unshare --mount --pid --net --ipc --uts --fork --kill-child sh -c '
    root=$1
    shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmp "$root/tmp"
    mount --rbind /sys "$root/sys"
    mkdir -p "$root/dev/net"
    for device in null zero random urandom net/tun; do
        [ -e "$root/dev/$device" ] || : > "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    ip link add veth-a type veth peer name veth-b
    ip link set veth-a up
    ip link set veth-b up
    cd "$root"
    exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ "$@"
' sh "$@"
