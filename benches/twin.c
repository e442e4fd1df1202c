/*
 * The native twins: the loops that a C programmer writes against DPDK for the same work, on the same port and pool.
 * Each gets its burst from the pool or the port, does its work on it, sends it, and frees what was not taken.
 */
#include "twin.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_udp.h>
#include <stdatomic.h>
#include <string.h>
#include <tmmintrin.h>

enum { MAX_BURST = 256 };

/* The template lies in the rooms already, as in a prefilled pool: only the lengths are missing after the allocation. */
static inline void set_len(struct rte_mbuf *m, uint16_t len)
{
	m->data_len = len;
	m->pkt_len = len;
}

static inline void template(const struct twin *t, struct rte_mbuf **bufs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		set_len(bufs[i], t->len);
}

/* Random source address and port, by the generator and the masks that udp-gen uses. */
static inline void two_fields(struct twin *t, struct rte_mbuf **bufs, uint32_t n)
{
	const uint32_t address = t->address, address_mask = t->address_mask;
	const uint16_t port = t->udp_port, port_mask = t->udp_port_mask, len = t->len;
	uint64_t random = t->random;

	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = bufs[i];
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		set_len(m, len);
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		ip->src_addr = ((uint32_t)(random >> 32) & address_mask) | address;
		udp->src_port = ((uint16_t)(random >> 16) & port_mask) | port;
	}
	t->random = random;
}

/* The same with the checksum of the IPv4 header, from the sum of what does not change. */
static inline void two_fields_sum(struct twin *t, struct rte_mbuf **bufs, uint32_t n)
{
	const uint32_t address = t->address, address_mask = t->address_mask;
	const uint16_t port = t->udp_port, port_mask = t->udp_port_mask, len = t->len;
	const struct rte_ether_hdr *first = rte_pktmbuf_mtod(bufs[0], const struct rte_ether_hdr *);
	struct rte_ipv4_hdr rest;
	uint64_t random = t->random;

	memcpy(&rest, first + 1, sizeof(rest));
	rest.hdr_checksum = 0;
	rest.src_addr = 0;
	const uint32_t base = rte_raw_cksum(&rest, sizeof(rest));
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = bufs[i];
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		set_len(m, len);
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		uint32_t src = ((uint32_t)(random >> 32) & address_mask) | address;
		uint32_t sum = base + (src & 0xffff) + (src >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		ip->src_addr = src;
		ip->hdr_checksum = (uint16_t)~(uint16_t)(sum + (sum >> 16));
		udp->src_port = ((uint16_t)(random >> 16) & port_mask) | port;
	}
	t->random = random;
}

/* Eight draws for each packet: addresses, ports, four words of the payload. */
static inline void eight(struct twin *t, struct rte_mbuf **bufs, uint32_t n)
{
	const uint16_t len = t->len;
	uint64_t random = t->random;

#define DRAW (random = random * 6364136223846793005ULL + 1442695040888963407ULL)
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = bufs[i];
		uint8_t *head = rte_pktmbuf_mtod(m, uint8_t *);

		set_len(m, len);
		head[29] = (uint8_t)(DRAW >> 56);
		head[33] = (uint8_t)(DRAW >> 56);
		for (int at = 34; at < 38; at += 2) {
			uint16_t port = rte_cpu_to_be_16((uint16_t)(DRAW >> 48));

			memcpy(head + at, &port, sizeof(port));
		}
		for (int at = 42; at < 58; at += 4) {
			uint32_t word = (uint32_t)(DRAW >> 32);

			memcpy(head + at, &word, sizeof(word));
		}
	}
#undef DRAW
	t->random = random;
}

/* As testpmd's macswap does it on x86: one load, one shuffle, one store of 16 bytes. */
static inline void mac_swap(struct rte_mbuf **bufs, uint32_t n)
{
	const __m128i order = _mm_set_epi8(15, 14, 13, 12, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6);

	for (uint32_t i = 0; i < n; i++) {
		__m128i *head = rte_pktmbuf_mtod(bufs[i], __m128i *);

		_mm_storeu_si128(head, _mm_shuffle_epi8(_mm_loadu_si128(head), order));
	}
}

/*
 * A checksum of each packet's bytes into its last four, by DPDK's own functions: the compiler makes vectors of the first,
 * the second is the processor's instruction.
 */
static __rte_always_inline void checksum(const struct twin *t, struct rte_mbuf **bufs, uint32_t n, uint16_t work)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *place = rte_pktmbuf_mtod_offset(bufs[i], uint32_t *, bufs[i]->data_len - sizeof(*place));
		const char *data = rte_pktmbuf_mtod_offset(bufs[i], const char *, t->skip);
		uint32_t result;

		if (unlikely(data > (const char *)place))
			continue;
		if (work == TWIN_SUM)
			result = rte_be_to_cpu_16(rte_raw_cksum(data, (const char *)place - data));
		else
			result = ~rte_hash_crc(data, (const char *)place - data, ~0U);
		result = rte_cpu_to_be_32(result);
		memcpy(place, &result, sizeof(result));
	}
}

static __rte_always_inline void kernel(struct twin *t, struct rte_mbuf **bufs, uint32_t n, uint16_t work)
{
	switch (work) {
	case TWIN_TEMPLATE:
		template(t, bufs, n);
		break;
	case TWIN_TWO_FIELDS:
		two_fields(t, bufs, n);
		break;
	case TWIN_MAC_SWAP:
		mac_swap(bufs, n);
		break;
	case TWIN_SUM:
		checksum(t, bufs, n, TWIN_SUM);
		break;
	case TWIN_CRC32C:
		checksum(t, bufs, n, TWIN_CRC32C);
		break;
	case TWIN_TWO_FIELDS_SUM:
		two_fields_sum(t, bufs, n);
		break;
	case TWIN_EIGHT:
		eight(t, bufs, n);
		break;
	default:
		break;
	}
}

static inline void send_burst(const struct twin *t, struct rte_mbuf **bufs, uint16_t n)
{
	uint16_t sent = rte_eth_tx_burst(t->port, 0, bufs, n);

	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(bufs + sent, n - sent);
}

/* Inlined once per kind of work, so that each is the loop of a program of its own. */
static __rte_always_inline uint64_t generate(struct twin *t, uint32_t bursts, uint16_t work)
{
	struct rte_mbuf *bufs[MAX_BURST];
	const uint16_t burst = t->burst;
	uint64_t packets = 0;

	for (uint32_t b = 0; b < bursts; b++) {
		if (unlikely(rte_pktmbuf_alloc_bulk(t->pool, bufs, burst) != 0))
			continue;
		kernel(t, bufs, burst, work);
		send_burst(t, bufs, burst);
		packets += burst;
	}
	return packets;
}

static __rte_always_inline uint64_t forward(struct twin *t, uint32_t bursts, uint16_t work)
{
	struct rte_mbuf *bufs[MAX_BURST];
	const uint16_t burst = t->burst;
	uint64_t packets = 0;

	for (uint32_t b = 0; b < bursts; b++) {
		uint16_t n = rte_eth_rx_burst(t->port, 0, bufs, burst);

		if (unlikely(n == 0))
			continue;
		kernel(t, bufs, n, work);
		send_burst(t, bufs, n);
		packets += n;
	}
	return packets;
}

uint64_t twin_run(struct twin *t, uint32_t bursts)
{
	switch (t->work) {
	case TWIN_TEMPLATE:
		return generate(t, bursts, TWIN_TEMPLATE);
	case TWIN_TWO_FIELDS:
		return generate(t, bursts, TWIN_TWO_FIELDS);
	case TWIN_TWO_FIELDS_SUM:
		return generate(t, bursts, TWIN_TWO_FIELDS_SUM);
	case TWIN_EIGHT:
		return generate(t, bursts, TWIN_EIGHT);
	case TWIN_MAC_SWAP:
		return forward(t, bursts, TWIN_MAC_SWAP);
	case TWIN_SUM:
		return forward(t, bursts, TWIN_SUM);
	default:
		return forward(t, bursts, TWIN_NOTHING);
	}
}

/* Taking raw mbufs and sending them as they are: what nobody can save. */
uint64_t twin_floor(struct twin *t, uint32_t bursts)
{
	struct rte_mbuf *bufs[MAX_BURST];
	const uint16_t burst = t->burst;
	uint64_t packets = 0;

	for (uint32_t b = 0; b < bursts; b++) {
		if (unlikely(rte_mempool_get_bulk(t->pool, (void **)bufs, burst) != 0))
			continue;
		send_burst(t, bufs, burst);
		packets += burst;
	}
	return packets;
}

void twin_kernel(struct twin *t, struct rte_mbuf **bufs, uint32_t n) { kernel(t, bufs, n, t->work); }

int twin_alloc(struct rte_mempool *pool, struct rte_mbuf **bufs, uint32_t n) { return rte_pktmbuf_alloc_bulk(pool, bufs, n); }

void *twin_memory(uint64_t len) { return rte_zmalloc("twin", len, 4096); }
void twin_memory_free(void *memory) { rte_free(memory); }

/*
 * Half a microsecond of independent additions, all in registers: it takes longer only where the core's other hyperthread
 * is busy, the core's clock is down, or the thread was interrupted.
 */
uint64_t twin_probe(void)
{
	uint64_t rounds = 400, start;

	rte_mb();
	start = rte_rdtsc_precise();
	__asm__ volatile("1:\n\t"
	                 "addq $1, %%rax\n\taddq $1, %%rcx\n\taddq $1, %%rdx\n\taddq $1, %%rsi\n\t"
	                 "addq $1, %%rdi\n\taddq $1, %%r8\n\taddq $1, %%r9\n\taddq $1, %%r10\n\t"
	                 "addq $1, %%rax\n\taddq $1, %%rcx\n\taddq $1, %%rdx\n\taddq $1, %%rsi\n\t"
	                 "subq $1, %0\n\tjnz 1b"
	                 : "+r"(rounds)
	                 :
	                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "cc");
	return rte_rdtsc_precise() - start;
}

/* Records n packets of one length: a time, lengths, the bytes, padded to 8; what does not fit before the end begins anew. Readers are told
 * once, of all of them. */
void twin_record(struct twin_ring *ring, uint64_t ns, const uint8_t *from, uint32_t stride, uint32_t len, uint32_t n)
{
	uint64_t size = 16 + ((uint64_t)len + 7) / 8 * 8;

	for (uint32_t i = 0; i < n; i++) {
		if (ring->at + size > ring->size)
			ring->at = 0;
		uint8_t *to = ring->base + ring->at;
		uint64_t head[2] = { ns, (uint64_t)len << 32 | len };
		memcpy(to, head, sizeof(head));
		rte_memcpy(to + 16, from + (uint64_t)(i % 64) * stride, len);
		ring->at += size;
		ring->number++;
	}
	atomic_store_explicit(&ring->head, ring->number, memory_order_release);
}
