/* What Perigee calls of DPDK: the headers for bindgen, and the shim around static inline functions. */
#ifndef PERIGEE_SHIM_H
#define PERIGEE_SHIM_H

#include "flow.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_memory.h>
#include <rte_ring.h>

#include "versions.h"

/* rte_errno is a per-thread macro. */
int perigee_errno(void);

/* From here on all that DPDK logs goes to `line`, on whichever thread it is logged, with its level; `text` is `len` bytes long and
   may be a part of a line. Nothing of it goes to standard error and to syslog(3) any more. 0, or -1 without memory. */
int perigee_log_open(void (*line)(uint32_t level, const char *text, size_t len));

/* Ports. */
uint16_t perigee_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
uint16_t perigee_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);
/* Prepares offloads that the driver has to touch the packet for; returns how many are ready. */
uint16_t perigee_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n);

/* Pools. The headers lie in the mempool, each buf_addr points to a room of `stride` bytes. They follow each other from base on, but none crosses
   a border of 2 MiB. */
struct rte_mempool *perigee_pool_create(const char *name, unsigned int n, unsigned int cache, uint8_t *base,
                                        uint32_t stride, uint16_t room_len, int socket);
/* An ordinary pool, data behind the header: for drivers that cannot use rooms elsewhere. */
struct rte_mempool *perigee_plain_pool_create(const char *name, unsigned int n, unsigned int cache, uint16_t room_len,
                                              int for_card, int socket);
/* The pool of pinned external buffers, for the benchmark that compares the three. */
struct rte_mempool *perigee_extbuf_pool_create(const char *name, unsigned int n, unsigned int cache, uint8_t *base,
                                               uint32_t stride, uint16_t room_len, int socket);
/* 0 on success: all n or none. The mbufs are as they were put back; see perigee_rearm. */
int perigee_pool_get(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int n);
/* As perigee_pool_get, but the rooms of the pool come in turn. */
int perigee_pool_get_in_turn(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int n);
/* Empties the calling thread's cache into the pool. */
void perigee_pool_flush(struct rte_mempool *pool);
void perigee_pool_put(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int n);

/* Rings of mbufs. */
unsigned int perigee_ring_enqueue(struct rte_ring *ring, struct rte_mbuf **mbufs, unsigned int n);
unsigned int perigee_ring_dequeue(struct rte_ring *ring, struct rte_mbuf **mbufs, unsigned int n);
unsigned int perigee_ring_count(const struct rte_ring *ring);

/* Copies all segments and the metadata of src into the single segment dst. 0, or -1 where it does not fit. */
int perigee_copy(struct rte_mbuf *dst, const struct rte_mbuf *src);
/* The same for n raw mbufs of a pool, which become packets. Returns how many went before one that does not fit. */
unsigned int perigee_copy_bulk(struct rte_mbuf **dst, struct rte_mbuf *const *src, unsigned int n);

/* Software offloads, for ports without them. 0, or -1 where the lengths do not fit the packet. */
int32_t perigee_l4_len(const struct rte_mbuf *m, uint64_t ol_flags, uint16_t l2_len, uint16_t l3_len);
int perigee_checksum(struct rte_mbuf *m, uint64_t ol_flags, uint16_t l2_len, uint16_t l3_len);
int perigee_vlan_insert(struct rte_mbuf *m, uint16_t tci);
int perigee_vlan_strip(struct rte_mbuf *m);

/* Layout of the tx_offload bit field. */
uint64_t perigee_tx_offload(uint16_t l2_len, uint16_t l3_len);

/* Fills conf for a port of ours; offloads that the port has not must have been masked out by the caller. Without a key of RSS
   (NULL) the driver takes its own. */
int perigee_port_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues, uint64_t rx_offloads,
                           uint64_t tx_offloads, uint32_t mtu, uint64_t rss_hf, uint8_t *rss_key,
                           uint8_t rss_key_len);
/* Facts of rte_eth_link, whose bit fields bindgen renders awkwardly. */
void perigee_link(uint16_t port, uint32_t *speed_mbps, uint32_t *up);

#endif
