#!/bin/sh
# DPDK 22.11 without huge pages (as on laptops, in CI, and in testpmd --no-huge): rte_pktmbuf_pool_create lets each packet begin at the same
# place of a page of 4 KiB, for none may cross a page's border and two do not fit. So all headers fall into one of the 64 sets of an L1
# cache, which has 8 or 12 places in each: a burst of 32 throws its own headers out. A pool made by rte_mempool_create_empty with
# RTE_MEMPOOL_F_NO_IOVA_CONTIG, which says that no device needs pages in one piece, spreads them over all sets.
# Needs a C compiler, and libdpdk-dev of that version (Debian 12). Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11}
[ "$(pkg-config --modversion libdpdk)" = "$VERSION" ] || { echo "another version: $(pkg-config --modversion libdpdk)"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > sets.c <<'C'
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
static void look(const char *name, struct rte_mempool *pool) {
    int sets[64] = {0}, used = 0;
    for (int i = 0; i < 256; i++)
        sets[(uintptr_t)rte_pktmbuf_alloc(pool) >> 6 & 63]++;
    for (int i = 0; i < 64; i++)
        used += sets[i] != 0;
    printf("%s: headers of 256 packets in %d of 64 sets\n", name, used);
}
int main(void) {
    char *args[] = {"sets", "--no-huge", "-m", "64", "--no-pci", "--no-shconf", "--no-telemetry", "-l", "0", "--log-level=error"};
    if (rte_eal_init(10, args) < 0)
        return 1;
    look("usual", rte_pktmbuf_pool_create("usual", 2047, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY));
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE};
    struct rte_mempool *pool = rte_mempool_create_empty("flagged", 2047, sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, 256,
        sizeof private, SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    rte_mempool_set_ops_byname(pool, "ring_mp_mc", NULL);
    rte_pktmbuf_pool_init(pool, &private);
    if (rte_mempool_populate_default(pool) < 0)
        return 1;
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    look("flagged", pool);
    return 0;
}
C
cc -O1 $(pkg-config --cflags libdpdk) sets.c -o sets $(pkg-config --libs libdpdk)
./sets 2> said.txt | tee seen.txt || { cat said.txt; exit 1; }
grep -q "^usual: .* in 1 of 64" seen.txt || { echo "they are spread now"; exit 1; }
[ "$(sed -n 's/^flagged: .* in \([0-9]*\) of.*/\1/p' seen.txt)" -ge 32 ] || { echo "otherwise than found"; exit 1; }
echo "as found: DPDK $VERSION"
