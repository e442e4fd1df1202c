#!/bin/sh
# An XDP program is refused on one end of a veth pair when the *other* end's MTU is too large. ip (iproute2, of the machine) shows the
# kernel's reason; users of libxdp get "Numerical result out of range". It attaches the smallest program there is. Needs root, clang.
# Fails where the kernel behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > pass.c <<'C'
__attribute__((section("xdp"), used)) int pass(void *context) { return 2; }
char text[] __attribute__((section("license"), used)) = "GPL";
C
clang -O2 -target bpf -c pass.c -o pass.o
cat > run.sh <<'R'
set -eu
ip link add near mtu 1500 type veth peer name far mtu "$1"
ip link set dev near xdpdrv obj pass.o sec xdp 2>&1 | tr '\n' ' ' | grep . || echo attached
R
small=$(unshare --net sh run.sh 3506)
large=$(unshare --net sh run.sh 3507)
echo "kernel $(uname -r), far end with an MTU of 3506: $small; of 3507: $large"
case "$small/$large" in
    attached/*"Peer MTU is too large"*) echo "as found: the far end's MTU decides" ;;
    *) echo "otherwise than found"; exit 1 ;;
esac
