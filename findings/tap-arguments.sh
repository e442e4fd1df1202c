#!/bin/sh
# DPDK 22.11's net_tap forgets all of its arguments when one of them is not its own, without a word: asked for the interface
# "right", it makes "dtap0". testpmd (Debian's package, unpacked in a temporary folder) starts with a right and with a further argument.
# Other drivers refuse to start then. Needs root.
# The same with VERSION=24.11.8-0+deb13u1, on Debian 13. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11-0+deb12u1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -qq "dpdk-dev=$VERSION" 2> /dev/null
dpkg-deb -x dpdk-dev_*.deb .
cat > run.sh <<'R'
set -eu
sleep 4 | ./usr/bin/dpdk-testpmd --no-huge --no-shconf --no-pci --no-telemetry -m 128 --log-level=error \
    --vdev "net_tap0,$1" -- --total-num-mbufs=4096 > "$2" 2>&1 &
sleep 2
ip -brief link | cut -d ' ' -f 1 | grep -v '^lo$' | tr '\n' ' '
wait
R
alone=$(unshare --net sh run.sh iface=right alone.txt)
further=$(unshare --net sh run.sh iface=right,further=1 further.txt)
echo "dpdk $VERSION, net_tap0,iface=right: $alone; net_tap0,iface=right,further=1: $further"
if [ "$alone" = "right " ] && [ "$further" = "dtap0 " ]; then
    echo "as found: an argument that it does not know makes it forget the one that it knows"
else
    echo "otherwise than found"
    cat alone.txt further.txt
    exit 1
fi
