/* The shim around DPDK's static inline functions: bursts, never single packets, so that a call costs nothing. */
#include "shim.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define AT(field, offset) _Static_assert(offsetof(struct rte_mbuf, field) == (offset), "Mbuf." #field " in mbuf.rs")
AT(buf_addr, 0);
AT(buf_iova, 8);
AT(data_off, 16);
AT(refcnt, 18);
AT(nb_segs, 20);
AT(port, 22);
AT(ol_flags, 24);
AT(packet_type, 32);
AT(pkt_len, 36);
AT(data_len, 40);
AT(vlan_tci, 42);
AT(hash.rss, 44);
AT(hash.fdir.hi, 48);
AT(vlan_tci_outer, 52);
AT(buf_len, 54);
AT(pool, 56);
AT(next, 64);
AT(tx_offload, 72);
AT(shinfo, 80);
AT(priv_size, 88);
AT(timesync, 90);
AT(dynfield1, 92);
#define FLAG(ours, theirs) _Static_assert((ours) == (theirs), "flags in mbuf.rs: " #theirs)
FLAG(1ULL << 0, RTE_MBUF_F_RX_VLAN);
FLAG(1ULL << 1, RTE_MBUF_F_RX_RSS_HASH);
FLAG(1ULL << 2, RTE_MBUF_F_RX_FDIR);
FLAG(1ULL << 3, RTE_MBUF_F_RX_L4_CKSUM_BAD);
FLAG(1ULL << 4, RTE_MBUF_F_RX_IP_CKSUM_BAD);
FLAG(1ULL << 6, RTE_MBUF_F_RX_VLAN_STRIPPED);
FLAG(1ULL << 7, RTE_MBUF_F_RX_IP_CKSUM_GOOD);
FLAG(1ULL << 8, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
FLAG(1ULL << 13, RTE_MBUF_F_RX_FDIR_ID);
FLAG(1ULL << 52, RTE_MBUF_F_TX_TCP_CKSUM);
FLAG(3ULL << 52, RTE_MBUF_F_TX_UDP_CKSUM);
FLAG(1ULL << 54, RTE_MBUF_F_TX_IP_CKSUM);
FLAG(1ULL << 55, RTE_MBUF_F_TX_IPV4);
FLAG(1ULL << 56, RTE_MBUF_F_TX_IPV6);
FLAG(1ULL << 57, RTE_MBUF_F_TX_VLAN);

FLAG(1ULL << 0, RTE_ETH_RX_OFFLOAD_VLAN_STRIP);
FLAG(1ULL << 1, RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
FLAG(1ULL << 2, RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
FLAG(1ULL << 3, RTE_ETH_RX_OFFLOAD_TCP_CKSUM);
FLAG(1ULL << 13, RTE_ETH_RX_OFFLOAD_SCATTER);
FLAG(1ULL << 14, RTE_ETH_RX_OFFLOAD_TIMESTAMP);
FLAG(1ULL << 19, RTE_ETH_RX_OFFLOAD_RSS_HASH);
FLAG(1ULL << 0, RTE_ETH_TX_OFFLOAD_VLAN_INSERT);
FLAG(1ULL << 1, RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
FLAG(1ULL << 2, RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
FLAG(1ULL << 3, RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
FLAG(1ULL << 15, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
FLAG(1ULL << 16, RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE);
FLAG(1ULL << 21, RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP);
FLAG(0x3ffc, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
	RTE_ETH_RSS_NONFRAG_IPV4_SCTP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 |
	RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_SCTP |
	RTE_ETH_RSS_NONFRAG_IPV6_OTHER);

int perigee_errno(void) { return rte_errno; }

static void (*log_line)(uint32_t level, const char *text, size_t len);

static ssize_t log_write(void *cookie, const char *text, size_t len)
{
	(void)cookie;
	log_line((uint32_t)rte_log_cur_msg_loglevel(), text, len);
	return (ssize_t)len;
}

int perigee_log_open(void (*line)(uint32_t level, const char *text, size_t len))
{
	/* The stream's own, so that no thread allocates one with its first line. DPDK flushes after each message. */
	static char buffer[1024];
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = log_write });

	if (stream == NULL)
		return -1;
	setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
	log_line = line;
	return rte_openlog_stream(stream);
}

uint16_t perigee_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return rte_eth_rx_burst(port, queue, mbufs, n);
}

uint16_t perigee_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return rte_eth_tx_burst(port, queue, mbufs, n);
}

uint16_t perigee_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	return rte_eth_tx_prepare(port, queue, mbufs, n);
}

#define HUGE_PAGE ((uintptr_t)2 << 20)

struct rooms {
	uint8_t *next;
	uint32_t stride;
	uint16_t room_len;
};

static void point_to_room(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	struct rooms *rooms = arg;
	struct rte_mbuf *m = obj;

	(void)mp;
	(void)i;
	/* Over a border of huge pages a card finds another page than the process does. */
	if (((uintptr_t)rooms->next ^ (uintptr_t)(rooms->next + rooms->stride - 1)) / HUGE_PAGE != 0)
		rooms->next = RTE_PTR_ALIGN_CEIL(rooms->next, HUGE_PAGE);
	m->buf_addr = rooms->next;
	rooms->next += rooms->stride;
	m->buf_iova = rte_mem_virt2iova(m->buf_addr);
	if (m->buf_iova == RTE_BAD_IOVA)
		m->buf_iova = (uintptr_t)m->buf_addr;
	m->buf_len = rooms->room_len;
}

/* A mempool of mbufs whose data rooms are `inside` bytes behind each header, or elsewhere. */
static struct rte_mempool *make_pool(const char *name, unsigned int n, unsigned int cache, uint16_t room_len,
                                     uint16_t inside, unsigned int flags, int socket)
{
	struct rte_pktmbuf_pool_private private = { .mbuf_data_room_size = room_len };
	struct rte_mempool *mp = rte_mempool_create_empty(name, n, (unsigned int)sizeof(struct rte_mbuf) + inside, cache,
	                                                  sizeof(private), socket, flags);

	if (mp == NULL)
		return NULL;
	if (rte_mempool_set_ops_byname(mp, "ring_mp_mc", NULL) != 0)
		goto fail;
	rte_pktmbuf_pool_init(mp, &private);
	if (rte_mempool_populate_default(mp) < 0)
		goto fail;
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
fail:
	rte_mempool_free(mp);
	return NULL;
}

struct rte_mempool *perigee_pool_create(const char *name, unsigned int n, unsigned int cache, uint8_t *base,
                                        uint32_t stride, uint16_t room_len, int socket)
{
	struct rooms rooms = { base, stride, room_len };
	struct rte_mempool *mp = make_pool(name, n, cache, room_len, 0, 0, socket);

	if (mp != NULL)
		rte_mempool_obj_iter(mp, point_to_room, &rooms);
	return mp;
}

struct rte_mempool *perigee_plain_pool_create(const char *name, unsigned int n, unsigned int cache, uint16_t room_len,
                                              int for_card, int socket)
{
	/* One after the other, with no gap: without huge pages DPDK else keeps each from crossing a page of 4 KiB, and
	 * net_af_xdp, which takes the number of mbufs times their length for the length of their memory, leaves two fifths
	 * of them out. The kernel throws away what lies there, and nothing counts it. A card needs just that care. */
	return make_pool(name, n, cache, room_len, room_len, for_card ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG, socket);
}

struct rte_mempool *perigee_extbuf_pool_create(const char *name, unsigned int n, unsigned int cache, uint8_t *base,
                                               uint32_t stride, uint16_t room_len, int socket)
{
	/* DPDK lays the rooms out by itself: elements of room_len bytes from the start of the memory. */
	struct rte_pktmbuf_extmem memory = {
		.buf_ptr = base, .buf_iova = (uintptr_t)base, .buf_len = (size_t)n * stride, .elt_size = (uint16_t)stride,
	};

	return rte_pktmbuf_pool_create_extbuf(name, n, cache, 0, room_len, socket, &memory, 1);
}

int perigee_pool_get(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int n)
{
	return rte_mempool_get_bulk(pool, (void **)mbufs, n);
}

int perigee_pool_get_in_turn(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int n)
{
	/* Past the cache, which would give the rooms that came back last: from the ring, where the one waits in front that
	 * has been there longest. The cache gives what it gets on to the ring when it is full. */
	if (rte_mempool_generic_get(pool, (void **)mbufs, n, NULL) == 0)
		return 0;
	return rte_mempool_get_bulk(pool, (void **)mbufs, n);
}

void perigee_pool_flush(struct rte_mempool *pool)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());

	if (cache != NULL)
		rte_mempool_cache_flush(cache, pool);
}

void perigee_pool_put(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int n)
{
	rte_mempool_put_bulk(pool, (void *const *)mbufs, n);
}

unsigned int perigee_ring_enqueue(struct rte_ring *ring, struct rte_mbuf **mbufs, unsigned int n)
{
	return rte_ring_enqueue_burst(ring, (void *const *)mbufs, n, NULL);
}

unsigned int perigee_ring_dequeue(struct rte_ring *ring, struct rte_mbuf **mbufs, unsigned int n)
{
	return rte_ring_dequeue_burst(ring, (void **)mbufs, n, NULL);
}

unsigned int perigee_ring_count(const struct rte_ring *ring) { return rte_ring_count(ring); }

static inline int copy(struct rte_mbuf *dst, const struct rte_mbuf *src)
{
	uint32_t done = 0;
	uint8_t *to;

	dst->data_off = RTE_PKTMBUF_HEADROOM;
	if (src->pkt_len > (uint32_t)dst->buf_len - dst->data_off)
		return -1;
	to = rte_pktmbuf_mtod(dst, uint8_t *);
	for (const struct rte_mbuf *s = src; s != NULL; s = src->nb_segs == 1 ? NULL : s->next) {
		if (s->data_len > src->pkt_len - done)
			return -1;
		rte_memcpy(to + done, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
		done += s->data_len;
	}
	dst->data_len = (uint16_t)done;
	dst->pkt_len = done;
	/* A raw mbuf of a pool has no next one: that, and what flags speak of, lies in lines that most packets need not touch. */
	dst->nb_segs = 1;
	dst->port = src->port;
	dst->packet_type = src->packet_type;
	dst->vlan_tci = src->vlan_tci;
	dst->hash = src->hash;
	if (src->ol_flags != 0) {
		dst->tx_offload = src->tx_offload;
		memcpy(dst->dynfield1, src->dynfield1, sizeof(dst->dynfield1));
	}
	/* Whether the data is external is a fact of the buffer, the rest of the flags are facts of the packet. */
	dst->ol_flags = src->ol_flags & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
	return 0;
}

int perigee_copy(struct rte_mbuf *dst, const struct rte_mbuf *src) { return copy(dst, src); }

/* How many packets ahead their bytes are asked for: what other lcores or a port have written is in no near cache yet. */
#define AHEAD 4

unsigned int perigee_copy_bulk(struct rte_mbuf **dst, struct rte_mbuf *const *src, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (i + AHEAD < n) {
			rte_prefetch0(rte_pktmbuf_mtod(src[i + AHEAD], const void *));
			rte_prefetch0((uint8_t *)dst[i + AHEAD]->buf_addr + RTE_PKTMBUF_HEADROOM);
		}
		rte_mbuf_refcnt_set(dst[i], 1);
		if (copy(dst[i], src[i]) != 0)
			return i;
	}
	return n;
}

/* The packet's bytes belong to a guest, so no length in it is believed: the layer lengths must have room for the headers, and
 * the IP header must say the same as they do. Returns the length of what IP carries, or -1. */
int32_t perigee_l4_len(const struct rte_mbuf *m, uint64_t ol_flags, uint16_t l2_len, uint16_t l3_len)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l2_len);
	uint32_t l4 = (uint32_t)l2_len + l3_len;
	int tcp = (ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
	int32_t header = tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);
	int32_t l4_len;

	if (l4 + (uint32_t)header > m->data_len)
		return -1;
	if (ol_flags & RTE_MBUF_F_TX_IPV4) {
		const struct rte_ipv4_hdr *v4 = (const void *)ip;

		if (l3_len < sizeof(*v4) || v4->version_ihl != (0x40 | l3_len / 4) || l3_len % 4 != 0)
			return -1;
		l4_len = (int32_t)rte_be_to_cpu_16(v4->total_length) - l3_len;
	} else {
		const struct rte_ipv6_hdr *v6 = (const void *)ip;

		if (l3_len < sizeof(*v6) || ip[0] >> 4 != 6)
			return -1;
		l4_len = (int32_t)rte_be_to_cpu_16(v6->payload_len) - (int32_t)(l3_len - sizeof(*v6));
	}
	return l4_len < header || (uint32_t)l4_len > m->data_len - l4 ? -1 : l4_len;
}

static int l4_checksum(struct rte_mbuf *m, uint64_t ol_flags, uint16_t l2_len, uint16_t l3_len)
{
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t l4 = (uint32_t)l2_len + l3_len;
	int tcp = (ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
	uint32_t field = l4 + (tcp ? offsetof(struct rte_tcp_hdr, cksum) : offsetof(struct rte_udp_hdr, dgram_cksum));
	int32_t l4_len = perigee_l4_len(m, ol_flags, l2_len, l3_len);
	uint32_t sum;
	uint16_t cksum;

	if (l4_len < 0)
		return -1;
	if (ol_flags & RTE_MBUF_F_TX_IPV4)
		sum = __rte_raw_cksum(data + l2_len + offsetof(struct rte_ipv4_hdr, src_addr), 8, 0);
	else
		sum = __rte_raw_cksum(data + l2_len + offsetof(struct rte_ipv6_hdr, src_addr), 32, 0);
	memset(data + field, 0, 2);
	sum += rte_cpu_to_be_16((uint16_t)l4_len) + rte_cpu_to_be_16(tcp ? IPPROTO_TCP : IPPROTO_UDP);
	sum = __rte_raw_cksum(data + l4, l4_len, sum);
	cksum = (uint16_t)~__rte_raw_cksum_reduce(sum);
	/* RFC 768: a UDP checksum that computes to zero is sent as all ones. */
	if (cksum == 0 && !tcp)
		cksum = 0xffff;
	memcpy(data + field, &cksum, 2);
	return 0;
}

int perigee_checksum(struct rte_mbuf *m, uint64_t ol_flags, uint16_t l2_len, uint16_t l3_len)
{
	if ((uint32_t)l2_len + l3_len > m->data_len)
		return -1;
	if ((ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0 && l4_checksum(m, ol_flags, l2_len, l3_len) != 0)
		return -1;
	if (ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *) + l2_len;
		uint16_t cksum;

		if (l3_len < sizeof(struct rte_ipv4_hdr))
			return -1;
		memset(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum), 0, 2);
		cksum = (uint16_t)~rte_raw_cksum(ip, l3_len);
		memcpy(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum), &cksum, 2);
	}
	return 0;
}

int perigee_vlan_insert(struct rte_mbuf *m, uint16_t tci)
{
	m->vlan_tci = tci;
	return rte_vlan_insert(&m);
}

int perigee_vlan_strip(struct rte_mbuf *m) { return m->data_len < 18 ? -1 : rte_vlan_strip(m); }

uint64_t perigee_tx_offload(uint16_t l2_len, uint16_t l3_len)
{
	struct rte_mbuf m = { .l2_len = l2_len, .l3_len = l3_len };

	return m.tx_offload;
}

int perigee_port_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues, uint64_t rx_offloads,
                           uint64_t tx_offloads, uint32_t mtu, uint64_t rss_hf, uint8_t *rss_key,
                           uint8_t rss_key_len)
{
	struct rte_eth_conf conf = { 0 };

	conf.rxmode.mtu = mtu;
	conf.rxmode.offloads = rx_offloads;
	conf.txmode.offloads = tx_offloads;
	/* Without RSS there is no hash, and DPDK refuses a port that is asked for it all the same. */
	conf.rxmode.offloads &= ~RTE_ETH_RX_OFFLOAD_RSS_HASH;
	if (rx_queues > 1 && rss_hf != 0) {
		conf.rxmode.offloads = rx_offloads;
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss_hf;
		conf.rx_adv_conf.rss_conf.rss_key = rss_key;
		conf.rx_adv_conf.rss_conf.rss_key_len = rss_key_len;
	}
	return rte_eth_dev_configure(port, rx_queues, tx_queues, &conf);
}

void perigee_link(uint16_t port, uint32_t *speed_mbps, uint32_t *up)
{
	struct rte_eth_link link = { 0 };

	*speed_mbps = 0;
	*up = 0;
	if (rte_eth_link_get_nowait(port, &link) != 0)
		return;
	*up = link.link_status;
	if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		*speed_mbps = link.link_speed;
}
