/* Packets of network functions: made before a slice, compared and freed behind it; and which function works on them. */
#include "frames.h"

static void make(const struct function *f, struct rte_mbuf *m, const struct flow *flow)
{
	struct frame *frame = rte_pktmbuf_mtod(m, struct frame *);

	m->data_len = m->pkt_len = FRAME;
	memset(frame, 0, FRAME);
	memcpy(&frame->ether.dst_addr, f->mac, 6);
	memcpy(&frame->ether.src_addr, "\2\0\0\0\0\x99", 6);
	frame->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	frame->ip.version_ihl = RTE_IPV4_VHL_DEF;
	frame->ip.total_length = RTE_BE16(FRAME - 14);
	frame->ip.time_to_live = 64;
	frame->ip.next_proto_id = flow->protocol;
	frame->ip.src_addr = flow->src;
	frame->ip.dst_addr = flow->dst;
	frame->ip.hdr_checksum = (uint16_t)~sum_of(&frame->ip);
	if (flow->protocol == IPPROTO_UDP) {
		frame->udp = (struct rte_udp_hdr){ flow->sport, flow->dport, RTE_BE16(FRAME - 34), RTE_BE16(0x1234) };
	} else if (flow->protocol == IPPROTO_TCP) {
		frame->tcp.src_port = flow->sport;
		frame->tcp.dst_port = flow->dport;
		frame->tcp.data_off = 0x50;
		frame->tcp.tcp_flags = RTE_TCP_ACK_FLAG;
		frame->tcp.cksum = RTE_BE16(0x1234);
	}
}

uint64_t function_feed(struct function *f, uint32_t n)
{
	struct rte_mbuf *bufs[MAX_BURST];
	uint64_t fed = 0;

	while (fed < n) {
		uint16_t count = RTE_MIN(n - fed, (uint64_t)64), taken;

		if (rte_pktmbuf_alloc_bulk(f->pool, bufs, count) != 0)
			break;
		for (uint16_t i = 0; i < count; i++) {
			make(f, bufs[i], &f->flows[f->at]);
			f->at = f->at + 1 == f->flow_count ? 0 : f->at + 1;
		}
		taken = rte_eth_tx_burst(f->rx, 0, bufs, count);
		fed += taken;
		if (taken < count) {
			rte_pktmbuf_free_bulk(bufs + taken, count - taken);
			break;
		}
	}
	return fed;
}

static uint64_t digest_of(const struct rte_mbuf *m, int what)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t all = m->data_len;
	struct frame frame;

	if (m->data_len != FRAME)
		return 1;
	memcpy(&frame, data, FRAME);
	/* A checksum that is wrong must not look like one that is right. */
	all = all << 16 | sum_of(&frame.ip);
	if (what != DIGEST_ALL)
		memset(&frame.ether, 0, 12);
	if (what == DIGEST_BEHIND_SOURCE) {
		/* Checksums go with the source: the sum of both stays. */
		uint16_t *l4 = frame.ip.next_proto_id == IPPROTO_UDP ? &frame.udp.dgram_cksum : &frame.tcp.cksum;

		*l4 = fold((uint64_t)frame.ip.src_addr + frame.udp.src_port + *l4);
		frame.ip.src_addr = frame.ip.hdr_checksum = frame.udp.src_port = 0;
	}
	for (size_t at = 0; at < FRAME; at += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)&frame + at, sizeof(word));
		all = (all ^ word) * 6364136223846793005ULL + (all >> 29);
	}
	return all;
}

uint64_t function_take(struct function *f, int digest)
{
	struct rte_mbuf *bufs[MAX_BURST];
	uint64_t all = 0;
	uint16_t n;

	while ((n = rte_eth_rx_burst(f->tx, 0, bufs, MAX_BURST)) != 0) {
		for (uint16_t i = 0; digest != DIGEST_NOTHING && i < n; i++)
			f->digest = (f->digest + digest_of(bufs[i], digest)) * 6364136223846793005ULL;
		rte_pktmbuf_free_bulk(bufs, n);
		all += n;
	}
	return all;
}

uint64_t function_run(struct function *f, uint32_t bursts)
{
	switch (f->kind) {
	case FUNCTION_LPM:
		return lpm_run(f, bursts);
	case FUNCTION_FIB:
		return fib_run(f, bursts);
	case FUNCTION_NAT:
		return nat_run(f, bursts);
	case FUNCTION_ACL:
		return acl_run(f, bursts);
	default:
		return balancer_run(f, bursts);
	}
}
