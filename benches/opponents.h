/* What Perigee is compared with, run inside the benchmark. opponents/ffi.rs has the same declarations. */
#ifndef PERIGEE_OPPONENTS_H
#define PERIGEE_OPPONENTS_H

#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* LuaJIT, loaded where it is installed. NULL with a reason where it is not, or the script does not load. */
void *lua_new(const char *script, uint64_t len, char *reason, uint64_t room);
/* Runs a loop of the script. Returns the packets; 0 with a reason where it fails. */
uint64_t lua_run(void *lua, const char *work, struct rte_mempool *pool, uint16_t port, uint32_t bursts, uint16_t len, char *reason,
                 uint64_t room);
void lua_free(void *lua);

/* Memory that a program of eBPF reads beside the packet, by its address. */
struct bpf_table {
	const void *bytes;
	uint64_t len;
};
enum { BPF_TABLES = 4 };

/* DPDK's eBPF: a program that gets the packet's bytes, as machine code; NULL where it is refused. At most BPF_TABLES tables, which stay. */
void *bpf_new(const uint64_t *instructions, uint32_t n, const struct bpf_table *tables, uint32_t table_count);
/* DPDK's program on each packet. */
void bpf_each(void *bpf, struct rte_mbuf **bufs, uint32_t n);
void bpf_free(void *bpf);

/* The same by rbpf, from the library of benches/rbpf. NULL where that is not there, or refuses the program. */
void *rbpf_open(const char *library, const uint8_t *program, uint64_t len);
void rbpf_run(void *rbpf, struct rte_mbuf **bufs, uint32_t n);
void rbpf_close(void *rbpf);

/* Writes a frame of 60 bytes over each packet, with another destination and IPv4 checksum: the low four bytes of a change, and the next two. */
void l3_restore(struct rte_mbuf **bufs, uint32_t n, const uint8_t *frame, const uint64_t *changes);

#endif
