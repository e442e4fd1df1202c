/* Flow rules of ports: a plain description of one, and what makes rte_flow's patterns of it. */
#ifndef PERIGEE_FLOW_H
#define PERIGEE_FLOW_H

#include <stddef.h>
#include <stdint.h>

struct rte_flow;

/* What a rule looks at: bits of perigee_flow_rule.keys. */
#define PERIGEE_FLOW_ETHER_TYPE 1u
#define PERIGEE_FLOW_VLAN 2u
#define PERIGEE_FLOW_SRC 4u
#define PERIGEE_FLOW_DST 8u
#define PERIGEE_FLOW_PROTOCOL 16u
#define PERIGEE_FLOW_SRC_PORT 32u
#define PERIGEE_FLOW_DST_PORT 64u

/* What it does. */
#define PERIGEE_FLOW_DROP 0u
#define PERIGEE_FLOW_QUEUE 1u
#define PERIGEE_FLOW_MARK 2u

/* A rule. Numbers are in the host's order, addresses as on the wire; an IPv4 address is the first four bytes. */
struct perigee_flow_rule {
	uint32_t keys;
	/* 4 or 6; 0 where it is not about IP. */
	uint8_t family;
	uint8_t protocol;
	uint16_t ether_type;
	uint16_t vlan;
	uint8_t src[16], src_mask[16];
	uint8_t dst[16], dst_mask[16];
	/* First and last. */
	uint16_t src_port[2], dst_port[2];
	uint32_t action;
	/* Queue or mark. */
	uint32_t value;
};

/* Asks the port whether it takes the rule, and gives it to it. NULL where it does not: `why` says in its driver's words why not.
   `counted` is set where the port counts the packets of it. The port must be started. */
struct rte_flow *perigee_flow_create(uint16_t port, const struct perigee_flow_rule *rule, int *counted, char *why,
                                     size_t why_len);
/* Packets that have met a rule that is counted. 0, or a negative number of an error. */
int perigee_flow_hits(uint16_t port, struct rte_flow *flow, uint64_t *hits);
/* Takes a rule back. */
void perigee_flow_destroy(uint16_t port, struct rte_flow *flow);

#endif
