/*
 * All packets of a pool, handed out and taken back in order: so each comes again only when all others were there, as far apart in
 * memory as the pool is large. Neither touches a packet: where its bytes are not in a cache, who works on it finds that out.
 */
#include "functions.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

struct stash {
	uint32_t count, head, tail;
	struct rte_mbuf *mbufs[];
};

void *stash_new(struct rte_mempool *pool, uint32_t count, uint16_t len)
{
	struct stash *s = calloc(1, sizeof(*s) + count * sizeof(s->mbufs[0]));

	if (s == NULL)
		return NULL;
	for (; s->count < count; s->count++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		if (m == NULL)
			return stash_free(s), NULL;
		m->data_len = m->pkt_len = len;
		memset(rte_pktmbuf_mtod(m, void *), 0x5a, len);
		s->mbufs[s->count] = m;
	}
	return s;
}

uint64_t stash_feed(void *memory, uint16_t port, uint32_t n)
{
	struct stash *s = memory;
	uint32_t fed = 0;

	while (fed < n) {
		uint32_t count = RTE_MIN(RTE_MIN(n - fed, 64U), s->count - s->head);
		uint16_t taken = rte_eth_tx_burst(port, 0, &s->mbufs[s->head], (uint16_t)count);

		fed += taken;
		s->head = s->head + taken == s->count ? 0 : s->head + taken;
		if (taken < count)
			break;
	}
	return fed;
}

uint64_t stash_take(void *memory, uint16_t port)
{
	struct stash *s = memory;
	uint64_t all = 0;

	for (;;) {
		uint32_t room = RTE_MIN(64U, s->count - s->tail);
		uint16_t n = rte_eth_rx_burst(port, 0, &s->mbufs[s->tail], (uint16_t)room);

		if (n == 0)
			return all;
		s->tail = s->tail + n == s->count ? 0 : s->tail + n;
		all += n;
	}
}

void stash_free(void *memory)
{
	struct stash *s = memory;

	rte_pktmbuf_free_bulk(s->mbufs, s->count);
	free(s);
}
