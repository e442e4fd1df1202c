/* What Perigee is compared with, as far as it runs inside the benchmark, on the same ports and pools: LuaJIT, and DPDK's eBPF. */
#include "opponents.h"

#include <dlfcn.h>
#include <rte_bpf.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lua 5.1's functions, found when the benchmark runs: nobody has to have them to build it. */
struct lua {
	void *library, *state;
	void *(*new_state)(void);
	void (*open_libs)(void *);
	int (*load_buffer)(void *, const char *, size_t, const char *);
	int (*call)(void *, int, int, int);
	void (*get_field)(void *, int, const char *);
	void (*push_number)(void *, double);
	void (*push_string)(void *, const char *);
	double (*to_number)(void *, int);
	const char *(*to_string)(void *, int, size_t *);
	void (*set_top)(void *, int);
	void (*close)(void *);
};
enum { GLOBALS = -10002 };

/* What MoonGen has in C: a whole burst is taken, with its lengths, or sent, until it is gone. */
static uint32_t take(struct rte_mempool *pool, struct rte_mbuf **bufs, uint32_t n, uint32_t len)
{
	if (rte_pktmbuf_alloc_bulk(pool, bufs, n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		bufs[i]->data_len = bufs[i]->pkt_len = (uint16_t)len;
	return n;
}

static uint32_t receive(uint32_t port, struct rte_mbuf **bufs, uint32_t n) { return rte_eth_rx_burst(port, 0, bufs, n); }

static void send_all(uint32_t port, struct rte_mbuf **bufs, uint32_t n)
{
	uint16_t sent = rte_eth_tx_burst(port, 0, bufs, n);

	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(bufs + sent, n - sent);
}

static int find(struct lua *lua)
{
	const struct {
		const char *name;
		void **place;
	} names[] = {
		{ "luaL_newstate", (void **)&lua->new_state },   { "luaL_openlibs", (void **)&lua->open_libs },
		{ "luaL_loadbuffer", (void **)&lua->load_buffer }, { "lua_pcall", (void **)&lua->call },
		{ "lua_getfield", (void **)&lua->get_field },    { "lua_pushnumber", (void **)&lua->push_number },
		{ "lua_pushstring", (void **)&lua->push_string }, { "lua_tonumber", (void **)&lua->to_number },
		{ "lua_tolstring", (void **)&lua->to_string },   { "lua_settop", (void **)&lua->set_top },
		{ "lua_close", (void **)&lua->close },
	};

	for (size_t i = 0; i < RTE_DIM(names); i++) {
		*names[i].place = dlsym(lua->library, names[i].name);
		if (*names[i].place == NULL)
			return 0;
	}
	return 1;
}

static int explain(struct lua *lua, char *reason, uint64_t room)
{
	const char *text = lua->to_string(lua->state, -1, NULL);

	snprintf(reason, room, "%s", text == NULL ? "no reason" : text);
	lua->set_top(lua->state, 0);
	return 0;
}

static int begin(struct lua *lua, const char *script, uint64_t len, char *reason, uint64_t room)
{
	lua->state = lua->new_state();
	if (lua->state == NULL)
		return snprintf(reason, room, "no memory"), 0;
	lua->open_libs(lua->state);
	if (lua->load_buffer(lua->state, script, len, "moongen.lua") != 0 || lua->call(lua->state, 0, 0, 0) != 0)
		return explain(lua, reason, room);
	lua->get_field(lua->state, GLOBALS, "setup");
	lua->push_number(lua->state, (double)(uintptr_t)take);
	lua->push_number(lua->state, (double)(uintptr_t)receive);
	lua->push_number(lua->state, (double)(uintptr_t)send_all);
	return lua->call(lua->state, 3, 0, 0) == 0 || explain(lua, reason, room);
}

void *lua_new(const char *script, uint64_t len, char *reason, uint64_t room)
{
	struct lua *lua = calloc(1, sizeof(*lua));

	if (lua == NULL)
		return NULL;
	lua->library = dlopen("libluajit-5.1.so.2", RTLD_NOW | RTLD_LOCAL);
	if (lua->library == NULL || !find(lua)) {
		snprintf(reason, room, "libluajit-5.1.so.2 is not installed (apt-get install libluajit-5.1-2)");
		return lua_free(lua), NULL;
	}
	if (!begin(lua, script, len, reason, room))
		return lua_free(lua), NULL;
	return lua;
}

uint64_t lua_run(void *memory, const char *work, struct rte_mempool *pool, uint16_t port, uint32_t bursts, uint16_t len, char *reason,
                 uint64_t room)
{
	struct lua *lua = memory;
	uint64_t packets;

	lua->get_field(lua->state, GLOBALS, "run");
	lua->push_string(lua->state, work);
	lua->push_number(lua->state, (double)(uintptr_t)pool);
	lua->push_number(lua->state, port);
	lua->push_number(lua->state, bursts);
	lua->push_number(lua->state, len);
	if (lua->call(lua->state, 5, 1, 0) != 0)
		return explain(lua, reason, room), 0;
	packets = (uint64_t)lua->to_number(lua->state, -1);
	lua->set_top(lua->state, 0);
	return packets;
}

void lua_free(void *memory)
{
	struct lua *lua = memory;

	if (lua != NULL && lua->state != NULL)
		lua->close(lua->state);
	if (lua != NULL && lua->library != NULL)
		dlclose(lua->library);
	free(lua);
}

void *bpf_new(const uint64_t *instructions, uint32_t n, const struct bpf_table *tables, uint32_t table_count)
{
	static const char *const names[BPF_TABLES] = { "table0", "table1", "table2", "table3" };
	struct rte_bpf_xsym symbols[BPF_TABLES];
	struct rte_bpf_prm param = { .ins = (const struct ebpf_insn *)instructions, .nb_ins = n, .xsym = symbols, .nb_xsym = table_count };
	struct rte_bpf_jit jit = { 0 };
	struct rte_bpf *bpf;

	if (table_count > BPF_TABLES)
		return NULL;
	memset(symbols, 0, sizeof(symbols));
	for (uint32_t i = 0; i < table_count; i++) {
		symbols[i].name = names[i];
		symbols[i].type = RTE_BPF_XTYPE_VAR;
		symbols[i].var.val = (void *)(uintptr_t)tables[i].bytes;
		symbols[i].var.desc.type = RTE_BPF_ARG_PTR;
		symbols[i].var.desc.size = tables[i].len;
	}
	param.prog_arg.type = RTE_BPF_ARG_PTR;
	param.prog_arg.size = 60;
	bpf = rte_bpf_load(&param);
	if (bpf != NULL && (rte_bpf_get_jit(bpf, &jit) != 0 || jit.func == NULL))
		return rte_bpf_destroy(bpf), NULL;
	return bpf;
}

void bpf_each(void *bpf, struct rte_mbuf **bufs, uint32_t n)
{
	struct rte_bpf_jit jit;

	rte_bpf_get_jit(bpf, &jit);
	for (uint32_t i = 0; i < n; i++)
		jit.func(rte_pktmbuf_mtod(bufs[i], void *));
}

void bpf_free(void *bpf) { rte_bpf_destroy(bpf); }

struct rbpf {
	void *library, *program;
	void *(*new)(const uint8_t *, size_t);
	void (*each)(const void *, uint8_t *const *, size_t, size_t);
	void (*free)(void *);
};

void *rbpf_open(const char *library, const uint8_t *program, uint64_t len)
{
	struct rbpf *rbpf = calloc(1, sizeof(*rbpf));

	if (rbpf == NULL)
		return NULL;
	rbpf->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (rbpf->library != NULL) {
		*(void **)&rbpf->new = dlsym(rbpf->library, "rbpf_new");
		*(void **)&rbpf->each = dlsym(rbpf->library, "rbpf_each");
		*(void **)&rbpf->free = dlsym(rbpf->library, "rbpf_free");
	}
	if (rbpf->new != NULL && rbpf->each != NULL && rbpf->free != NULL)
		rbpf->program = rbpf->new(program, len);
	if (rbpf->program == NULL)
		return rbpf_close(rbpf), NULL;
	return rbpf;
}

void rbpf_run(void *memory, struct rte_mbuf **bufs, uint32_t n)
{
	const struct rbpf *rbpf = memory;
	uint8_t *bytes[256];

	n = RTE_MIN(n, RTE_DIM(bytes));
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = rte_pktmbuf_mtod(bufs[i], uint8_t *);
	rbpf->each(rbpf->program, bytes, n, 60);
}

void rbpf_close(void *memory)
{
	struct rbpf *rbpf = memory;

	if (rbpf->program != NULL)
		rbpf->free(rbpf->program);
	if (rbpf->library != NULL)
		dlclose(rbpf->library);
	free(rbpf);
}

void l3_restore(struct rte_mbuf **bufs, uint32_t n, const uint8_t *frame, const uint64_t *changes)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *data = rte_pktmbuf_mtod(bufs[i], uint8_t *);
		uint32_t destination = (uint32_t)changes[i];
		uint16_t checksum = (uint16_t)(changes[i] >> 32);

		memcpy(data, frame, 60);
		memcpy(data + 30, &destination, sizeof(destination));
		memcpy(data + 24, &checksum, sizeof(checksum));
	}
}
