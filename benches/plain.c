/*
 * DPDK as one has it without Perigee: a pool whose packets' data lie behind their headers, and a net_null that takes its packets from it.
 */
#include "twin.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

enum { DESCRIPTORS = 512, CACHE = RTE_MEMPOOL_CACHE_MAX_SIZE };

static int start(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };
	const unsigned socket = rte_socket_id();

	return rte_eth_dev_configure(port, 1, 1, &conf) != 0 || rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, socket, NULL, pool) != 0 ||
	       rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, socket, NULL) != 0 || rte_eth_dev_start(port) != 0;
}

int twin_plain_open(struct twin_plain *plain, const char *name, uint32_t rooms)
{
	memset(plain, 0, sizeof(*plain));
	snprintf(plain->name, sizeof(plain->name), "%s", name);
	plain->pool = rte_pktmbuf_pool_create(name, rooms, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (plain->pool == NULL)
		return -1;
	if (rte_eal_hotplug_add("vdev", name, "") != 0) {
		rte_mempool_free(plain->pool);
		return -1;
	}
	if (rte_eth_dev_get_port_by_name(name, &plain->port) != 0 || start(plain->port, plain->pool) != 0) {
		rte_eal_hotplug_remove("vdev", name);
		rte_mempool_free(plain->pool);
		return -1;
	}
	return 0;
}

int twin_plain_close(struct twin_plain *plain)
{
	int lost;

	rte_eth_dev_stop(plain->port);
	rte_eal_hotplug_remove("vdev", plain->name);
	lost = rte_mempool_in_use_count(plain->pool) != 0;
	rte_mempool_free(plain->pool);
	return lost;
}
