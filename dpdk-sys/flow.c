/* Flow rules by rte_flow. Its types have unions and bit fields, which C fills in better than Rust does. */
#include "shim.h"

#include <stdio.h>
#include <string.h>
#include <rte_byteorder.h>
#include <rte_flow.h>

#define RSS(ours, theirs) _Static_assert((ours) == (theirs), "rss/bits.rs: " #theirs)
RSS(1ULL << 2, RTE_ETH_RSS_IPV4);
RSS(1ULL << 3, RTE_ETH_RSS_FRAG_IPV4);
RSS(1ULL << 4, RTE_ETH_RSS_NONFRAG_IPV4_TCP);
RSS(1ULL << 5, RTE_ETH_RSS_NONFRAG_IPV4_UDP);
RSS(1ULL << 6, RTE_ETH_RSS_NONFRAG_IPV4_SCTP);
RSS(1ULL << 7, RTE_ETH_RSS_NONFRAG_IPV4_OTHER);
RSS(1ULL << 8, RTE_ETH_RSS_IPV6);
RSS(1ULL << 9, RTE_ETH_RSS_FRAG_IPV6);
RSS(1ULL << 10, RTE_ETH_RSS_NONFRAG_IPV6_TCP);
RSS(1ULL << 11, RTE_ETH_RSS_NONFRAG_IPV6_UDP);
RSS(1ULL << 12, RTE_ETH_RSS_NONFRAG_IPV6_SCTP);
RSS(1ULL << 13, RTE_ETH_RSS_NONFRAG_IPV6_OTHER);
RSS(1ULL << 14, RTE_ETH_RSS_L2_PAYLOAD);
RSS(1ULL << 15, RTE_ETH_RSS_IPV6_EX);
RSS(1ULL << 16, RTE_ETH_RSS_IPV6_TCP_EX);
RSS(1ULL << 17, RTE_ETH_RSS_IPV6_UDP_EX);
RSS(1ULL << 18, RTE_ETH_RSS_PORT);
RSS(1ULL << 19, RTE_ETH_RSS_VXLAN);
RSS(1ULL << 20, RTE_ETH_RSS_GENEVE);
RSS(1ULL << 21, RTE_ETH_RSS_NVGRE);
RSS(1ULL << 23, RTE_ETH_RSS_GTPU);
RSS(1ULL << 24, RTE_ETH_RSS_ETH);
RSS(3ULL << 25, RTE_ETH_RSS_VLAN);
RSS(1ULL << 33, RTE_ETH_RSS_MPLS);
RSS(1ULL << 60, RTE_ETH_RSS_L4_DST_ONLY);
RSS(1ULL << 61, RTE_ETH_RSS_L4_SRC_ONLY);
RSS(1ULL << 62, RTE_ETH_RSS_L3_DST_ONLY);
RSS(1ULL << 63, RTE_ETH_RSS_L3_SRC_ONLY);

/* A pattern with all that its items point to. */
struct pattern {
	struct rte_flow_item items[5];
	unsigned int n;
	struct rte_flow_item_eth eth, eth_mask;
	struct rte_flow_item_vlan vlan, vlan_mask;
	struct rte_flow_item_ipv4 v4, v4_mask;
	struct rte_flow_item_ipv6 v6, v6_mask;
	/* TCP, UDP and SCTP begin with the two ports. */
	union l4 {
		struct rte_flow_item_tcp tcp;
		struct rte_flow_item_udp udp;
		struct rte_flow_item_sctp sctp;
		rte_be16_t ports[2];
	} l4, l4_last, l4_mask;
};

static struct rte_flow_item *add(struct pattern *p, enum rte_flow_item_type type)
{
	struct rte_flow_item *item = &p->items[p->n++];

	item->type = type;
	return item;
}

static void add_l2(struct pattern *p, const struct perigee_flow_rule *rule)
{
	struct rte_flow_item *item = add(p, RTE_FLOW_ITEM_TYPE_ETH);

	/* Where an item of IP follows, it says the type. */
	if (rule->keys & PERIGEE_FLOW_ETHER_TYPE && rule->family == 0 && !(rule->keys & PERIGEE_FLOW_VLAN)) {
		p->eth.hdr.ether_type = rte_cpu_to_be_16(rule->ether_type);
		p->eth_mask.hdr.ether_type = RTE_BE16(0xffff);
		item->spec = &p->eth;
		item->mask = &p->eth_mask;
	}
	if (!(rule->keys & PERIGEE_FLOW_VLAN))
		return;
	item = add(p, RTE_FLOW_ITEM_TYPE_VLAN);
	p->vlan.hdr.vlan_tci = rte_cpu_to_be_16(rule->vlan);
	p->vlan_mask.hdr.vlan_tci = RTE_BE16(0x0fff);
	if (rule->keys & PERIGEE_FLOW_ETHER_TYPE && rule->family == 0) {
		p->vlan.hdr.eth_proto = rte_cpu_to_be_16(rule->ether_type);
		p->vlan_mask.hdr.eth_proto = RTE_BE16(0xffff);
	}
	item->spec = &p->vlan;
	item->mask = &p->vlan_mask;
}

static void add_ip(struct pattern *p, const struct perigee_flow_rule *rule)
{
	/* An item without anything to compare has neither: some drivers refuse a mask of zeros. */
	int compares = (rule->keys & (PERIGEE_FLOW_SRC | PERIGEE_FLOW_DST | PERIGEE_FLOW_PROTOCOL)) != 0;
	struct rte_flow_item *item;

	if (rule->family == 4) {
		item = add(p, RTE_FLOW_ITEM_TYPE_IPV4);
		memcpy(&p->v4.hdr.src_addr, rule->src, 4);
		memcpy(&p->v4_mask.hdr.src_addr, rule->src_mask, 4);
		memcpy(&p->v4.hdr.dst_addr, rule->dst, 4);
		memcpy(&p->v4_mask.hdr.dst_addr, rule->dst_mask, 4);
		if (rule->keys & PERIGEE_FLOW_PROTOCOL) {
			p->v4.hdr.next_proto_id = rule->protocol;
			p->v4_mask.hdr.next_proto_id = 0xff;
		}
		item->spec = compares ? &p->v4 : NULL;
		item->mask = compares ? &p->v4_mask : NULL;
	} else if (rule->family == 6) {
		item = add(p, RTE_FLOW_ITEM_TYPE_IPV6);
		memcpy(&p->v6.hdr.src_addr, rule->src, 16);
		memcpy(&p->v6_mask.hdr.src_addr, rule->src_mask, 16);
		memcpy(&p->v6.hdr.dst_addr, rule->dst, 16);
		memcpy(&p->v6_mask.hdr.dst_addr, rule->dst_mask, 16);
		if (rule->keys & PERIGEE_FLOW_PROTOCOL) {
			p->v6.hdr.proto = rule->protocol;
			p->v6_mask.hdr.proto = 0xff;
		}
		item->spec = compares ? &p->v6 : NULL;
		item->mask = compares ? &p->v6_mask : NULL;
	}
}

static void add_l4(struct pattern *p, const struct perigee_flow_rule *rule)
{
	const uint32_t keys[2] = { PERIGEE_FLOW_SRC_PORT, PERIGEE_FLOW_DST_PORT };
	const uint16_t *ranges[2] = { rule->src_port, rule->dst_port };
	enum rte_flow_item_type type = rule->protocol == IPPROTO_TCP   ? RTE_FLOW_ITEM_TYPE_TCP
				       : rule->protocol == IPPROTO_UDP ? RTE_FLOW_ITEM_TYPE_UDP
								       : RTE_FLOW_ITEM_TYPE_SCTP;
	struct rte_flow_item *item;

	if (!(rule->keys & (PERIGEE_FLOW_SRC_PORT | PERIGEE_FLOW_DST_PORT)))
		return;
	item = add(p, type);
	item->spec = &p->l4;
	item->mask = &p->l4_mask;
	for (int i = 0; i < 2; i++) {
		if (!(rule->keys & keys[i]))
			continue;
		p->l4.ports[i] = rte_cpu_to_be_16(ranges[i][0]);
		p->l4_last.ports[i] = rte_cpu_to_be_16(ranges[i][1]);
		p->l4_mask.ports[i] = RTE_BE16(0xffff);
		if (ranges[i][0] != ranges[i][1])
			item->last = &p->l4_last;
	}
}

static struct rte_flow *create(uint16_t port, const struct rte_flow_item *items, const struct rte_flow_action *actions,
                               char *why, size_t why_len)
{
	const struct rte_flow_attr ingress = { .ingress = 1 };
	struct rte_flow_error error = { 0 };
	struct rte_flow *flow = NULL;
	int code = rte_flow_validate(port, &ingress, items, actions, &error);

	if (code == 0)
		flow = rte_flow_create(port, &ingress, items, actions, &error);
	if (flow == NULL)
		snprintf(why, why_len, "%s", error.message != NULL ? error.message : rte_strerror(code == 0 ? rte_errno : -code));
	return flow;
}

struct rte_flow *perigee_flow_create(uint16_t port, const struct perigee_flow_rule *rule, int *counted, char *why,
                                     size_t why_len)
{
	const struct rte_flow_action_queue queue = { .index = (uint16_t)rule->value };
	const struct rte_flow_action_mark mark = { .id = rule->value };
	const struct rte_flow_action count = { .type = RTE_FLOW_ACTION_TYPE_COUNT };
	const struct rte_flow_action pass = { .type = RTE_FLOW_ACTION_TYPE_PASSTHRU };
	const struct rte_flow_action end = { .type = RTE_FLOW_ACTION_TYPE_END };
	struct rte_flow_action act = { .type = RTE_FLOW_ACTION_TYPE_DROP };
	struct pattern p;
	struct rte_flow *flow;

	memset(&p, 0, sizeof(p));
	add_l2(&p, rule);
	add_ip(&p, rule);
	add_l4(&p, rule);
	add(&p, RTE_FLOW_ITEM_TYPE_END);
	if (rule->action == PERIGEE_FLOW_QUEUE)
		act = (struct rte_flow_action){ .type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue };
	else if (rule->action == PERIGEE_FLOW_MARK)
		act = (struct rte_flow_action){ .type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark };
	*counted = 1;
	flow = create(port, p.items, (const struct rte_flow_action[]){ count, act, end }, why, why_len);
	if (flow != NULL)
		return flow;
	*counted = 0;
	flow = create(port, p.items, (const struct rte_flow_action[]){ act, end }, why, why_len);
	/* Some drivers want to be told where a marked packet goes then. */
	if (flow == NULL && rule->action == PERIGEE_FLOW_MARK)
		flow = create(port, p.items, (const struct rte_flow_action[]){ act, pass, end }, why, why_len);
	return flow;
}

int perigee_flow_hits(uint16_t port, struct rte_flow *flow, uint64_t *hits)
{
	const struct rte_flow_action count[] = {
		{ .type = RTE_FLOW_ACTION_TYPE_COUNT }, { .type = RTE_FLOW_ACTION_TYPE_END },
	};
	struct rte_flow_query_count answer = { 0 };
	struct rte_flow_error error = { 0 };
	int code = rte_flow_query(port, flow, count, &answer, &error);

	if (code == 0 && !answer.hits_set)
		code = -ENOTSUP;
	*hits = answer.hits;
	return code;
}

void perigee_flow_destroy(uint16_t port, struct rte_flow *flow)
{
	struct rte_flow_error error = { 0 };

	rte_flow_destroy(port, flow, &error);
}
