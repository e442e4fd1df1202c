/*
 * Network functions as somebody writes them in C against DPDK for speed: a burst at a time, what is far away asked for before it is
 * needed, tables whose entries are one line of the cache. They check of a packet what the modules check, and change of it the same.
 */
#ifndef PERIGEE_FRAMES_H
#define PERIGEE_FRAMES_H

#include "functions.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_BURST = 256, FRAME = 60, AHEAD = 4 };

struct frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	union {
		struct rte_udp_hdr udp;
		struct rte_tcp_hdr tcp;
		uint8_t bytes[FRAME - 34];
	};
} __attribute__((packed, aligned(2)));

/* Sum of the words of a header without options: 0xffff where its checksum is right. */
static inline uint16_t sum_of(const struct rte_ipv4_hdr *ip)
{
	uint32_t words[5];
	uint64_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (int i = 0; i < 5; i++)
		sum += words[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* RFC 1624: the checksum when `from` becomes `to`; any order of bytes, both of 16 bits or folded sums of such. */
static inline uint16_t changed(uint16_t checksum, uint32_t from, uint32_t to)
{
	uint32_t sum = (uint16_t)~checksum + (uint16_t)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(uint16_t)(sum + (sum >> 16));
}

static inline uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline void ahead(struct rte_mbuf **bufs, uint16_t i, uint16_t n)
{
	if (i + AHEAD < n)
		rte_prefetch0(rte_pktmbuf_mtod(bufs[i + AHEAD], void *));
}

/* What all of them check: Ethernet, IPv4 without options, lengths. */
static inline struct frame *ipv4(const struct rte_mbuf *m)
{
	struct frame *frame = rte_pktmbuf_mtod(m, struct frame *);
	uint16_t len;

	if (unlikely(m->data_len < 34 || frame->ether.ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	             frame->ip.version_ihl != RTE_IPV4_VHL_DEF))
		return NULL;
	len = rte_be_to_cpu_16(frame->ip.total_length);
	return unlikely(len < 20 || len > m->data_len - 14) ? NULL : frame;
}

/* The same, and a whole header of TCP or UDP that is not a later fragment. */
static inline struct frame *with_ports(const struct rte_mbuf *m)
{
	struct frame *frame = ipv4(m);

	if (unlikely(frame == NULL || (frame->ip.fragment_offset & RTE_BE16(0x3fff)) != 0))
		return NULL;
	uint16_t rest = rte_be_to_cpu_16(frame->ip.total_length) - 20;
	if (frame->ip.next_proto_id == IPPROTO_UDP)
		return rest < 8 ? NULL : frame;
	return frame->ip.next_proto_id == IPPROTO_TCP && rest >= 20 ? frame : NULL;
}

static inline void leave(struct function *f, struct rte_mbuf **good, uint16_t n, struct rte_mbuf **bad, uint16_t bad_count)
{
	uint16_t sent = n == 0 ? 0 : rte_eth_tx_burst(f->tx, 0, good, n);

	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(good + sent, n - sent);
	if (bad_count != 0)
		rte_pktmbuf_free_bulk(bad, bad_count);
	f->sent += sent;
	f->dropped += bad_count + n - sent;
}

static inline void *pages(uint64_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static inline uint32_t hash(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint8_t protocol)
{
	uint64_t addresses = (uint64_t)src << 32 | dst;
	uint64_t rest = (uint64_t)protocol << 32 | (uint32_t)sport << 16 | dport;

	return rte_hash_crc_8byte(rest, rte_hash_crc_8byte(addresses, 0x9e3779b9));
}

/* A burst after the other. `work` is known where this is inlined, so that each function is the loop of a program of its own. */
static __rte_always_inline uint64_t each_burst(struct function *f, uint32_t bursts,
                                               void (*work)(struct function *, struct rte_mbuf **, uint16_t))
{
	struct rte_mbuf *bufs[MAX_BURST];
	uint64_t packets = 0;

	for (uint32_t b = 0; b < bursts; b++) {
		uint16_t n = rte_eth_rx_burst(f->rx, 0, bufs, f->burst);

		if (unlikely(n == 0))
			continue;
		work(f, bufs, n);
		packets += n;
	}
	return packets;
}

uint64_t lpm_run(struct function *f, uint32_t bursts);
uint64_t fib_run(struct function *f, uint32_t bursts);
uint64_t nat_run(struct function *f, uint32_t bursts);
uint64_t acl_run(struct function *f, uint32_t bursts);
uint64_t balancer_run(struct function *f, uint32_t bursts);

#endif
