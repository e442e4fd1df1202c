/* Firewall: five fields by rte_acl. */
#include "frames.h"

#include <rte_acl.h>

static const struct rte_acl_field_def FIELDS[] = {
	{ RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, 0 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, 3 },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, 7 },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, 11 },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, 13 },
};
RTE_ACL_RULE_DEF(five, RTE_DIM(FIELDS));
enum { ACCEPT = 1, DROP = 2 };

void *acl_new(const struct rule *rules, uint32_t n, int widest)
{
	static unsigned number;
	char name[32];
	struct rte_acl_config config = { .num_categories = 1, .num_fields = RTE_DIM(FIELDS) };
	struct rte_acl_param param = { name, -1, RTE_ACL_RULE_SZ(RTE_DIM(FIELDS)), n };

	snprintf(name, sizeof(name), "bench-rules-%u", number++);
	struct rte_acl_ctx *acl = rte_acl_create(&param);
	if (acl == NULL)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		const struct rule *r = &rules[i];
		struct five rule = { .data = { .category_mask = 1, .priority = (int)(RTE_ACL_MAX_PRIORITY - i) } };

		rule.data.userdata = r->accept ? ACCEPT : DROP;
		rule.field[0].value.u8 = r->protocol;
		rule.field[0].mask_range.u8 = r->protocol == 0 ? 0 : 0xff;
		rule.field[1].value.u32 = r->src;
		rule.field[1].mask_range.u32 = r->src_len;
		rule.field[2].value.u32 = r->dst;
		rule.field[2].mask_range.u32 = r->dst_len;
		rule.field[3].value.u16 = r->sport[0];
		rule.field[3].mask_range.u16 = r->sport[1];
		rule.field[4].value.u16 = r->dport[0];
		rule.field[4].mask_range.u16 = r->dport[1];
		if (rte_acl_add_rules(acl, (struct rte_acl_rule *)&rule, 1) != 0)
			return rte_acl_free(acl), NULL;
	}
	memcpy(config.defs, FIELDS, sizeof(FIELDS));
	if (rte_acl_build(acl, &config) != 0)
		return rte_acl_free(acl), NULL;
	/* What the library chooses by itself is the widest. */
	if (!widest && rte_acl_set_ctx_classify(acl, RTE_ACL_CLASSIFY_SCALAR) != 0)
		return rte_acl_free(acl), NULL;
	return acl;
}

void acl_free(void *acl) { rte_acl_free(acl); }

static inline void acl(struct function *f, struct rte_mbuf **bufs, uint16_t n)
{
	struct rte_mbuf *good[MAX_BURST], *bad[MAX_BURST];
	const uint8_t *data[MAX_BURST];
	uint32_t results[MAX_BURST];
	uint16_t goods = 0, sent = 0, bads = 0;

	for (uint16_t i = 0; i < n; i++) {
		ahead(bufs, i, n);
		struct frame *frame = ipv4(bufs[i]);
		if (unlikely(frame == NULL || (frame->ip.fragment_offset & RTE_BE16(0x3fff)) != 0 ||
		             (frame->ip.next_proto_id == IPPROTO_UDP && frame->ip.total_length < RTE_BE16(28)))) {
			bad[bads++] = bufs[i];
			continue;
		}
		data[goods] = &frame->ip.next_proto_id;
		good[goods++] = bufs[i];
	}
	rte_acl_classify(f->table, data, results, goods, 1);
	for (uint16_t i = 0; i < goods; i++) {
		if (results[i] == ACCEPT)
			good[sent++] = good[i];
		else
			bad[bads++] = good[i];
	}
	leave(f, good, sent, bad, bads);
}

uint64_t acl_run(struct function *f, uint32_t bursts) { return each_burst(f, bursts, acl); }
