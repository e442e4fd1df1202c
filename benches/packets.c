/* Packets that others work on: made, put before a port and taken away again, filled, and compared. */
#include "twin.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <string.h>

enum { MAX_BURST = 256 };

static inline void set_len(struct rte_mbuf *m, uint16_t len)
{
	m->data_len = len;
	m->pkt_len = len;
}

/* What testpmd sends: UDP in IPv4, ports 9, without a checksum of UDP's. */
static void udp_packet(struct rte_mbuf *m, uint16_t len)
{
	const struct rte_ether_hdr ether = { { { 2, 0, 0, 0, 0, 0 } }, { { 2, 0, 0, 0, 0, 1 } }, RTE_BE16(RTE_ETHER_TYPE_IPV4) };
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(len - sizeof(ether)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = RTE_BE32(RTE_IPV4(198, 18, 0, 1)),
		.dst_addr = RTE_BE32(RTE_IPV4(198, 18, 0, 2)),
	};
	const struct rte_udp_hdr udp = { RTE_BE16(9), RTE_BE16(9), rte_cpu_to_be_16(len - sizeof(ether) - sizeof(ip)), 0 };
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(data, &ether, sizeof(ether));
	memcpy(data + sizeof(ether), &ip, sizeof(ip));
	memcpy(data + sizeof(ether) + sizeof(ip), &udp, sizeof(udp));
}

/* Puts n fresh packets into a port whose tx leads to its own rx. */
uint64_t twin_fill(struct twin *t, uint32_t n)
{
	uint64_t sent = 0;

	while (sent < n) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(t->pool);

		if (m == NULL)
			break;
		set_len(m, t->len);
		udp_packet(m, t->len);
		if (rte_eth_tx_burst(t->port, 0, &m, 1) != 1) {
			rte_pktmbuf_free(m);
			break;
		}
		sent++;
	}
	return sent;
}

/* Takes them out again. */
uint64_t twin_drain(struct twin *t)
{
	struct rte_mbuf *bufs[MAX_BURST];
	uint64_t all = 0;
	uint16_t n;

	while ((n = rte_eth_rx_burst(t->port, 0, bufs, MAX_BURST)) != 0) {
		rte_pktmbuf_free_bulk(bufs, n);
		all += n;
	}
	return all;
}

/* Random bytes, and lengths from t->len on, each `step` longer than the one before. */
void twin_random(struct twin *t, struct rte_mbuf **bufs, uint32_t n, uint32_t step)
{
	for (uint32_t i = 0; i < n; i++) {
		char *data = rte_pktmbuf_mtod(bufs[i], char *);

		set_len(bufs[i], t->len + i * step);
		for (uint16_t at = 0; at < bufs[i]->data_len; at++) {
			t->random = t->random * 6364136223846793005ULL + 1442695040888963407ULL;
			data[at] = (char)(t->random >> 56);
		}
	}
}

/* One number for the last four bytes of all packets. */
uint64_t twin_results(struct rte_mbuf **bufs, uint32_t n)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t result;

		memcpy(&result, rte_pktmbuf_mtod_offset(bufs[i], char *, bufs[i]->data_len - sizeof(result)), sizeof(result));
		all = (all + result) * 6364136223846793005ULL;
	}
	return all;
}

/* One number for the first 16 bytes of all packets. */
uint64_t twin_heads(struct rte_mbuf **bufs, uint32_t n)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t words[2];

		memcpy(words, rte_pktmbuf_mtod(bufs[i], char *), sizeof(words));
		all = ((all + words[0]) * 6364136223846793005ULL + words[1]) * 6364136223846793005ULL;
	}
	return all;
}

/* The bytes of all packets one behind the other, as many as fit into `room`. Returns how many bytes all packets have. */
uint64_t twin_copy(struct rte_mbuf **bufs, uint32_t n, uint8_t *to, uint64_t room)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (all + bufs[i]->data_len <= room)
			memcpy(to + all, rte_pktmbuf_mtod(bufs[i], char *), bufs[i]->data_len);
		all += bufs[i]->data_len;
	}
	return all;
}
