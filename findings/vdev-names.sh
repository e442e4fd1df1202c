#!/bin/sh
# DPDK 22.11: how long a virtual device's name may be depends on its driver, and too long a one gets no reason: net_ring takes 17 characters (the
# name goes into a ring's, "RG_ETH_RXTX0_...", of 31), so net_ring_to_peer works and net_ring_to_firewall does not; net_tap 22, net_null and
# net_pcap 63. The same with VERSION=24.11.8-0+deb13u1, on Debian 13. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11-0+deb12u1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -qq "dpdk-dev=$VERSION" 2> /dev/null
dpkg-deb -x dpdk-dev_*.deb .
cat > run.sh <<'R'
for name in net_ring_34567890 net_ring_345678901 net_tap_89012345678901 net_tap_890123456789012 net_null_90123456789012345678901234567890; do
    (sleep 0.5; echo quit) | ./usr/bin/dpdk-testpmd --no-huge --no-shconf --no-pci --no-telemetry -m 128 --vdev "$name" \
        -- --total-num-mbufs=2048 > said.txt 2>&1 || true
    if grep -q "^Port 0:" said.txt; then is=taken; else is=refused; fi
    echo "${#name} characters, $name: $is: $(grep -m 1 -E "failed to initialize" said.txt)"
done
R
unshare --net sh run.sh | tee seen.txt
[ "$(cut -d: -f2 seen.txt | tr -d ' \n')" = takenrefusedtakenrefusedtaken ] || { echo "otherwise than found"; exit 1; }
