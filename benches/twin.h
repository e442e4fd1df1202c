/* The benchmark's native side. ffi.rs has the same declarations; the functions there say what each is for. */
#ifndef PERIGEE_TWIN_H
#define PERIGEE_TWIN_H

#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* A loop in C: where it works and what it remembers. Fields that go into packets are in the packet's byte order. */
struct twin {
	struct rte_mempool *pool;
	uint64_t random;
	uint32_t address, address_mask;
	uint16_t udp_port, udp_port_mask;
	uint16_t port, burst, len, work;
	/* Bytes at a packet's start that do not count for its checksum. */
	uint64_t skip;
};
_Static_assert(sizeof(struct twin) == 48, "Twin in ffi.rs");

/* A ring of packets in memory, the newest over the oldest: what a writer in C would do. `head` is for readers. */
struct twin_ring {
	uint8_t *base;
	uint64_t size, at, number;
	_Atomic uint64_t head;
};
_Static_assert(sizeof(struct twin_ring) == 40, "RawRing in ffi.rs");

enum { TWIN_TEMPLATE, TWIN_TWO_FIELDS, TWIN_MAC_SWAP, TWIN_NOTHING, TWIN_SUM, TWIN_CRC32C, TWIN_TWO_FIELDS_SUM, TWIN_EIGHT };

uint64_t twin_run(struct twin *t, uint32_t bursts);
uint64_t twin_floor(struct twin *t, uint32_t bursts);
void twin_kernel(struct twin *t, struct rte_mbuf **bufs, uint32_t n);
uint64_t twin_fill(struct twin *t, uint32_t n);
uint64_t twin_drain(struct twin *t);
void twin_random(struct twin *t, struct rte_mbuf **bufs, uint32_t n, uint32_t step);
uint64_t twin_results(struct rte_mbuf **bufs, uint32_t n);
uint64_t twin_heads(struct rte_mbuf **bufs, uint32_t n);
uint64_t twin_copy(struct rte_mbuf **bufs, uint32_t n, uint8_t *to, uint64_t room);
void *twin_memory(uint64_t len);
void twin_memory_free(void *memory);
uint64_t twin_probe(void);
void twin_record(struct twin_ring *ring, uint64_t ns, const uint8_t *from, uint32_t stride, uint32_t len, uint32_t n);

/* For twins in Rust: a burst of packets, ready to be written. 0, or another number where the pool has not as many. */
int twin_alloc(struct rte_mempool *pool, struct rte_mbuf **bufs, uint32_t n);

/* An ordinary pool of DPDK's, and a net_null over it. NULL where DPDK refuses one of them: plain.c. */
struct twin_plain {
	struct rte_mempool *pool;
	uint16_t port;
	char name[46];
};
_Static_assert(sizeof(struct twin_plain) == 56, "RawPlain in plain.rs");
int twin_plain_open(struct twin_plain *plain, const char *name, uint32_t rooms);
/* Returns 0 where all packets came back. */
int twin_plain_close(struct twin_plain *plain);

/* step.c */
int step_install(void);
void step_begin(void);
uint64_t step_end(void);

#endif
