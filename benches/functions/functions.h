/* Network functions in C, beside the modules that do the same. natives.rs has the same declarations. */
#ifndef PERIGEE_FUNCTIONS_H
#define PERIGEE_FUNCTIONS_H

#include <stdint.h>

struct rte_mempool;

/* What a packet is made of. Addresses and ports are in the packet's byte order. */
struct flow {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t protocol, spare[3];
};
_Static_assert(sizeof(struct flow) == 16, "Flow in natives.rs");

/* One side of a comparison: where its packets come from and go to, how far it is in the flows, and what it counted. */
struct function {
	struct rte_mempool *pool;
	const struct flow *flows;
	uint64_t flow_count, at;
	/* What it looks up in: a struct of its kind, in its own file. */
	void *table;
	uint64_t sent, dropped, digest;
	uint8_t mac[6];
	uint16_t rx, tx, burst, kind, spare;
};
_Static_assert(sizeof(struct function) == 80, "RawFunction in natives.rs");

enum { FUNCTION_LPM, FUNCTION_FIB, FUNCTION_NAT, FUNCTION_ACL, FUNCTION_BALANCER };
/* What of a packet counts for the digest. */
enum { DIGEST_NOTHING, DIGEST_ALL, DIGEST_BEHIND_MACS, DIGEST_BEHIND_SOURCE };

/* Bits of `len` of `address`, in the host's byte order, lead to a next hop. */
struct route {
	uint32_t address;
	uint8_t len, hop;
	uint16_t spare;
};

/* A rule. Prefixes in the host's byte order; a protocol of 0 is any. Rules in front win. */
struct rule {
	uint32_t src, dst;
	uint8_t src_len, dst_len, protocol, accept;
	uint16_t sport[2], dport[2];
};
_Static_assert(sizeof(struct route) == 8 && sizeof(struct rule) == 20, "Route and Rule in natives.rs");

/* Puts the next n packets into the rx port, whose tx leads to its own rx. Returns how many. */
uint64_t function_feed(struct function *f, uint32_t n);
/* Takes packets out of the tx port, as function_feed puts them in, and frees them. Adds what counts of them to the digest. */
uint64_t function_take(struct function *f, int digest);
/* Works for so many bursts. Returns the packets that came. */
uint64_t function_run(struct function *f, uint32_t bursts);

/* Tables; NULL where there is no memory or DPDK refuses. MAC addresses are six bytes each. */
void *router_new(const struct route *routes, uint32_t n, const uint8_t *hops, uint32_t hop_count, const uint8_t *own, int fib);
void router_free(void *router);
void *nat_new(uint32_t sessions, uint32_t pool, uint32_t addresses);
void nat_free(void *nat);
void *acl_new(const struct rule *rules, uint32_t n, int widest);
void acl_free(void *acl);
void *balancer_new(uint32_t connections, uint32_t address, uint16_t port, const uint8_t *backends, uint32_t n, const uint8_t *own);
void balancer_free(void *balancer);

/* All of `count` packets of a pool, handed to a port and taken back in order, untouched: stash.c. */
void *stash_new(struct rte_mempool *pool, uint32_t count, uint16_t len);
uint64_t stash_feed(void *stash, uint16_t port, uint32_t n);
uint64_t stash_take(void *stash, uint16_t port);
void stash_free(void *stash);

#endif
