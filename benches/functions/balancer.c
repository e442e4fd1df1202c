/* Balancer: one service, a table of connections, and Maglev's for new ones. */
#include "frames.h"

#include <rte_cycles.h>

enum { MAX_BACKENDS = 1024, MAGLEV = 65537 };

struct connection {
	uint32_t src;
	uint16_t sport, backend;
	uint8_t protocol, used, spare[6];
	uint64_t last, packets;
};
_Static_assert(sizeof(struct connection) == 32, "two in a line of the cache");

struct balancer {
	struct connection *connections;
	uint32_t mask, address;
	uint16_t port;
	uint8_t macs[MAX_BACKENDS][12];
	uint64_t packets[MAX_BACKENDS], bytes[MAX_BACKENDS];
	uint16_t table[MAGLEV];
};

/* The pseudo-code of the paper (Eisenbud et al., 3.4), all weights being the same. */
static void fill(struct balancer *b, uint32_t n)
{
	uint32_t next[MAX_BACKENDS] = { 0 }, filled = 0;

	memset(b->table, 0xff, sizeof(b->table));
	for (uint32_t i = 0;; i = i + 1 == n ? 0 : i + 1) {
		uint32_t offset = rte_hash_crc_4byte(i, 1) % MAGLEV, skip = rte_hash_crc_4byte(i, 2) % (MAGLEV - 1) + 1, at;

		do {
			at = (uint32_t)((offset + (uint64_t)next[i]++ * skip) % MAGLEV);
		} while (b->table[at] != 0xffff);
		b->table[at] = (uint16_t)i;
		if (++filled == MAGLEV)
			return;
	}
}

void *balancer_new(uint32_t connections, uint32_t address, uint16_t port, const uint8_t *backends, uint32_t n, const uint8_t *own)
{
	struct balancer *b = calloc(1, sizeof(*b));
	uint32_t places = rte_align32pow2(2 * connections);

	if (b == NULL || n == 0 || n > MAX_BACKENDS)
		return free(b), NULL;
	b->mask = places - 1;
	b->address = address;
	b->port = port;
	b->connections = pages((uint64_t)places * sizeof(*b->connections));
	if (b->connections == NULL)
		return free(b), NULL;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(b->macs[i], backends + (size_t)i * 6, 6);
		memcpy(b->macs[i] + 6, own, 6);
	}
	fill(b, n);
	return b;
}

void balancer_free(void *memory)
{
	struct balancer *b = memory;

	if (b != NULL && b->connections != NULL)
		munmap(b->connections, ((uint64_t)b->mask + 1) * sizeof(*b->connections));
	free(b);
}

static inline void balance(struct function *f, struct rte_mbuf **bufs, uint16_t n)
{
	struct balancer *b = f->table;
	struct rte_mbuf *good[MAX_BURST], *bad[MAX_BURST];
	uint32_t at[MAX_BURST];
	uint16_t goods = 0, bads = 0;
	const uint64_t now = rte_rdtsc();

	for (uint16_t i = 0; i < n; i++) {
		ahead(bufs, i, n);
		struct frame *frame = with_ports(bufs[i]);
		if (unlikely(frame == NULL || frame->ip.dst_addr != b->address || frame->udp.dst_port != b->port ||
		             rte_be_to_cpu_16(frame->ip.total_length) > 1500)) {
			bad[bads++] = bufs[i];
			continue;
		}
		at[goods] = hash(frame->ip.src_addr, frame->ip.dst_addr, frame->udp.src_port, frame->udp.dst_port,
		                 frame->ip.next_proto_id);
		rte_prefetch0(&b->connections[at[goods] & b->mask]);
		good[goods++] = bufs[i];
	}
	for (uint16_t i = 0; i < goods; i++) {
		struct frame *frame = rte_pktmbuf_mtod(good[i], struct frame *);
		struct connection *c;
		for (uint32_t place = at[i];; place++) {
			c = &b->connections[place & b->mask];
			if (!c->used || (c->src == frame->ip.src_addr && c->sport == frame->udp.src_port &&
			                 c->protocol == frame->ip.next_proto_id))
				break;
		}
		if (unlikely(!c->used))
			*c = (struct connection){ frame->ip.src_addr, frame->udp.src_port, b->table[at[i] % MAGLEV],
				frame->ip.next_proto_id, 1, { 0 }, 0, 0 };
		c->last = now;
		c->packets++;
		b->packets[c->backend]++;
		b->bytes[c->backend] += good[i]->data_len;
		memcpy(&frame->ether, b->macs[c->backend], 12);
	}
	leave(f, good, goods, bad, bads);
}

uint64_t balancer_run(struct function *f, uint32_t bursts) { return each_burst(f, bursts, balance); }
