/* Router: RFC 1812's checks, a longest prefix by DIR24-8, the next hop's addresses, a hop less. */
#include "frames.h"

#include <rte_fib.h>
#include <rte_lpm.h>

enum { MAX_HOPS = 256 };

struct router {
	void *table;
	int fib;
	uint8_t own[8];
	struct {
		uint8_t macs[12];
		uint16_t mtu, spare;
	} hops[MAX_HOPS];
};

static inline int is_host(uint32_t be)
{
	uint8_t first = (uint8_t)be;

	return first != 0 && first != 127 && first < 224;
}

static __rte_always_inline void route(struct function *f, struct rte_mbuf **bufs, uint16_t n, int fib)
{
	const struct router *router = f->table;
	struct rte_mbuf *good[MAX_BURST], *bad[MAX_BURST];
	uint32_t to[MAX_BURST], found[MAX_BURST];
	uint64_t found_by_fib[MAX_BURST];
	uint16_t goods = 0, sent = 0, bads = 0;

	for (uint16_t i = 0; i < n; i++) {
		ahead(bufs, i, n);
		struct frame *frame = ipv4(bufs[i]);
		if (unlikely(frame == NULL || memcmp(&frame->ether.dst_addr, router->own, 6) != 0 ||
		             sum_of(&frame->ip) != 0xffff || !is_host(frame->ip.src_addr) || !is_host(frame->ip.dst_addr) ||
		             frame->ip.time_to_live <= 1)) {
			bad[bads++] = bufs[i];
			continue;
		}
		to[goods] = rte_be_to_cpu_32(frame->ip.dst_addr);
		good[goods++] = bufs[i];
	}
	if (fib)
		rte_fib_lookup_bulk(router->table, to, found_by_fib, goods);
	else
		rte_lpm_lookup_bulk(router->table, to, found, goods);
	for (uint16_t i = 0; i < goods; i++) {
		uint32_t hop = fib ? (uint32_t)found_by_fib[i] : found[i];
		struct frame *frame = rte_pktmbuf_mtod(good[i], struct frame *);
		int is_found = fib ? hop != MAX_HOPS : (hop & RTE_LPM_LOOKUP_SUCCESS) != 0;
		hop &= MAX_HOPS - 1;
		if (unlikely(!is_found || rte_be_to_cpu_16(frame->ip.total_length) > router->hops[hop].mtu)) {
			bad[bads++] = good[i];
			continue;
		}
		memcpy(&frame->ether, router->hops[hop].macs, 12);
		uint16_t before = frame->ip.time_to_live, after = before - 1;
		frame->ip.time_to_live = (uint8_t)after;
		frame->ip.hdr_checksum = changed(frame->ip.hdr_checksum, before, after);
		good[sent++] = good[i];
	}
	leave(f, good, sent, bad, bads);
}

void *router_new(const struct route *routes, uint32_t n, const uint8_t *hops, uint32_t hop_count, const uint8_t *own, int fib)
{
	static unsigned number;
	char name[32];
	struct router *router = calloc(1, sizeof(*router));

	if (router == NULL || hop_count > MAX_HOPS)
		return router_free(router), NULL;
	router->fib = fib;
	snprintf(name, sizeof(name), "bench-routes-%u", number++);
	memcpy(router->own, own, 6);
	for (uint32_t i = 0; i < hop_count; i++) {
		memcpy(router->hops[i].macs, hops + (size_t)i * 12, 12);
		router->hops[i].mtu = 1500;
	}
	if (fib) {
		struct rte_fib_conf conf = { .type = RTE_FIB_DIR24_8, .default_nh = MAX_HOPS, .max_routes = (int)(2 * n + 64) };
		conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_2B;
		conf.dir24_8.num_tbl8 = 32767;
		router->table = rte_fib_create(name, -1, &conf);
	} else {
		struct rte_lpm_config conf = { .max_rules = n + 64, .number_tbl8s = 32768 };
		router->table = rte_lpm_create(name, -1, &conf);
	}
	if (router->table == NULL)
		return router_free(router), NULL;
	for (uint32_t i = 0; i < n; i++) {
		int failed = fib ? rte_fib_add(router->table, routes[i].address, routes[i].len, routes[i].hop) :
		                   routes[i].len != 0 && rte_lpm_add(router->table, routes[i].address, routes[i].len, routes[i].hop);
		if (failed)
			return router_free(router), NULL;
	}
	return router;
}

void router_free(void *memory)
{
	struct router *router = memory;

	if (router != NULL && router->fib)
		rte_fib_free(router->table);
	else if (router != NULL)
		rte_lpm_free(router->table);
	free(router);
}

static inline void by_lpm(struct function *f, struct rte_mbuf **bufs, uint16_t n) { route(f, bufs, n, 0); }
static inline void by_fib(struct function *f, struct rte_mbuf **bufs, uint16_t n) { route(f, bufs, n, 1); }
uint64_t lpm_run(struct function *f, uint32_t bursts) { return each_burst(f, bursts, by_lpm); }
uint64_t fib_run(struct function *f, uint32_t bursts) { return each_burst(f, bursts, by_fib); }
