/* NAT: a table by what a session is known by inside, and one by what it is outside. Both have the other endpoint's as well. */
#include "frames.h"

#include <rte_cycles.h>

struct session {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t protocol, used;
	uint16_t new_port;
	uint32_t new_address, spare;
	uint64_t last;
};
_Static_assert(sizeof(struct session) == 32, "two in a line of the cache");

struct nat {
	struct session *inside, *outside;
	uint32_t mask, most, sessions, pool, addresses;
	uint32_t next;
};

void *nat_new(uint32_t sessions, uint32_t pool, uint32_t addresses)
{
	struct nat *nat = calloc(1, sizeof(*nat));
	uint32_t places = rte_align32pow2(2 * sessions);

	if (nat == NULL)
		return NULL;
	*nat = (struct nat){ .mask = places - 1, .most = sessions, .pool = pool, .addresses = addresses };
	nat->inside = pages((uint64_t)places * sizeof(*nat->inside));
	nat->outside = pages((uint64_t)places * sizeof(*nat->outside));
	if (nat->inside == NULL || nat->outside == NULL)
		return nat_free(nat), NULL;
	return nat;
}

void nat_free(void *memory)
{
	struct nat *nat = memory;
	uint64_t len;

	if (nat == NULL)
		return;
	len = ((uint64_t)nat->mask + 1) * sizeof(*nat->inside);
	if (nat->inside != NULL)
		munmap(nat->inside, len);
	if (nat->outside != NULL)
		munmap(nat->outside, len);
	free(nat);
}

static inline struct session *find(struct session *table, uint32_t mask, uint32_t at, const struct frame *frame)
{
	for (;; at++) {
		struct session *s = &table[at & mask];

		if (!s->used || (s->src == frame->ip.src_addr && s->dst == frame->ip.dst_addr && s->sport == frame->udp.src_port &&
		                 s->dport == frame->udp.dst_port && s->protocol == frame->ip.next_proto_id))
			return s;
	}
}

static int begin(struct nat *nat, struct session *inside, const struct frame *frame)
{
	enum { PORTS = 65536 - 1024 };
	struct frame back = *frame;

	/* The next port, until one is free for this remote endpoint. */
	for (uint32_t tried = 0; nat->sessions < nat->most && tried < nat->addresses * PORTS; tried++) {
		uint32_t number = nat->next++ % (nat->addresses * PORTS);
		uint32_t address = rte_cpu_to_be_32(nat->pool + number / PORTS);
		uint16_t port = rte_cpu_to_be_16((uint16_t)(1024 + number % PORTS));
		back.ip.src_addr = frame->ip.dst_addr;
		back.ip.dst_addr = address;
		back.udp.src_port = frame->udp.dst_port;
		back.udp.dst_port = port;
		uint32_t at = hash(back.ip.src_addr, address, back.udp.src_port, port, frame->ip.next_proto_id);
		struct session *outside = find(nat->outside, nat->mask, at, &back);
		if (outside->used)
			continue;
		*outside = (struct session){ back.ip.src_addr, address, back.udp.src_port, port, frame->ip.next_proto_id, 1,
			frame->udp.src_port, frame->ip.src_addr, 0, 0 };
		*inside = (struct session){ frame->ip.src_addr, frame->ip.dst_addr, frame->udp.src_port, frame->udp.dst_port,
			frame->ip.next_proto_id, 1, port, address, 0, 0 };
		nat->sessions++;
		return 1;
	}
	return 0;
}

static inline void translate(struct frame *frame, const struct session *s, int out)
{
	uint32_t *address = out ? &frame->ip.src_addr : &frame->ip.dst_addr;
	uint16_t *port = out ? &frame->udp.src_port : &frame->udp.dst_port;
	uint32_t from = fold(*address), to = fold(s->new_address);
	uint16_t *l4 = frame->ip.next_proto_id == IPPROTO_UDP ? &frame->udp.dgram_cksum : &frame->tcp.cksum;

	frame->ip.hdr_checksum = changed(frame->ip.hdr_checksum, from, to);
	if (frame->ip.next_proto_id != IPPROTO_UDP || *l4 != 0) {
		*l4 = changed(*l4, fold((uint64_t)from + *port), fold((uint64_t)to + s->new_port));
		if (frame->ip.next_proto_id == IPPROTO_UDP && *l4 == 0)
			*l4 = 0xffff;
	}
	*address = s->new_address;
	*port = s->new_port;
}

static inline void nat(struct function *f, struct rte_mbuf **bufs, uint16_t n)
{
	struct nat *nat = f->table;
	struct rte_mbuf *good[MAX_BURST], *bad[MAX_BURST];
	uint32_t at[MAX_BURST];
	uint8_t out[MAX_BURST];
	uint16_t goods = 0, sent = 0, bads = 0;
	const uint64_t now = rte_rdtsc();

	for (uint16_t i = 0; i < n; i++) {
		ahead(bufs, i, n);
		struct frame *frame = with_ports(bufs[i]);
		if (unlikely(frame == NULL || frame->udp.src_port == 0 || frame->udp.dst_port == 0)) {
			bad[bads++] = bufs[i];
			continue;
		}
		/* Inside is 10.0.0.0/8. */
		out[goods] = (uint8_t)frame->ip.src_addr == 10;
		at[goods] = hash(frame->ip.src_addr, frame->ip.dst_addr, frame->udp.src_port, frame->udp.dst_port,
		                 frame->ip.next_proto_id);
		rte_prefetch0(&(out[goods] ? nat->inside : nat->outside)[at[goods] & nat->mask]);
		good[goods++] = bufs[i];
	}
	for (uint16_t i = 0; i < goods; i++) {
		struct frame *frame = rte_pktmbuf_mtod(good[i], struct frame *);
		struct session *s = find(out[i] ? nat->inside : nat->outside, nat->mask, at[i], frame);
		if (unlikely(!s->used && !(out[i] && begin(nat, s, frame)))) {
			bad[bads++] = good[i];
			continue;
		}
		s->last = now;
		translate(frame, s, out[i]);
		good[sent++] = good[i];
	}
	leave(f, good, sent, bad, bads);
}

uint64_t nat_run(struct function *f, uint32_t bursts) { return each_burst(f, bursts, nat); }
