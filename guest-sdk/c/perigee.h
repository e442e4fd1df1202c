/* What packet modules for Perigee are written with in C11 and C++17. It takes no C library: this file and
 * perigee_abi.h, the contract's numbers and structures, are all. README.md beside it has the compiler's command line
 * and a whole example.
 *
 * A module says `PERIGEE_MODULE(...)` once and defines the callbacks that it wants: `process`, `init` and so on,
 * declared below. What is defined is exported, and the host calls it once per batch of packets. Everything that it
 * says and wants to hear is in the variable `perigee`; packets lie where their descriptors say, and are read and
 * written there.
 *
 * The host checks all that a module leaves behind, so a mistake costs packets, which are counted, and harms nobody
 * else.
 *
 * Licensed as Perigee is: MIT or Apache-2.0, at your choice. */
#ifndef PERIGEE_H
#define PERIGEE_H

#include "perigee_abi.h"
#include <stdbool.h>

#ifdef __cplusplus
#define PERIGEE_ALIGN(bytes) alignas(bytes)
extern "C" {
#else
#define PERIGEE_ALIGN(bytes) _Alignas(bytes)
#endif

#define PERIGEE_INLINE static inline
#define PERIGEE_IMPORT(name) __attribute__((import_module("perigee"), import_name(name)))
#define PERIGEE_EXPORT(name) __attribute__((export_name(name)))
#define PERIGEE_KIB 1024u
#define PERIGEE_MIB 1048576u

/* ---- What a module is made of ---- */

extern struct perigee_batch perigee;      /* the area that host and module share */
extern uint8_t perigee_mailbox[];         /* configuration, messages, replies, state */
extern const uint32_t perigee_mailbox_len;

#define PERIGEE_NUMBER(name, value)                                        \
    PERIGEE_EXPORT("perigee_" #name) uint32_t perigee_export_##name(void); \
    uint32_t perigee_export_##name(void) { return (value); }

/* Declares the module's areas and exports where they are: once, at file scope.
 * `window_bytes`: of the host's rooms that can be mapped; 64 * PERIGEE_MIB take the default pools of five ports.
 * `mailbox_bytes`: longest configuration, message, reply and state; 256 or more.
 * `spare_rooms`: empty rooms wanted in each call, at most 64. `version`: of the state that `save` writes. */
#define PERIGEE_MODULE(window_bytes, mailbox_bytes, spare_rooms, version)                             \
    PERIGEE_ASSERT((mailbox_bytes) >= 256, "a mailbox has 256 bytes or more: refusals go there");     \
    PERIGEE_ASSERT((spare_rooms) <= PERIGEE_MAX_SPARES, "a module has at most 64 spare rooms");       \
    PERIGEE_ALIGN(64) struct perigee_batch perigee;                                                   \
    PERIGEE_ALIGN(4096) uint8_t perigee_window_range[(window_bytes) + PERIGEE_WINDOW_ALIGN];          \
    PERIGEE_ALIGN(64) uint8_t perigee_mailbox[mailbox_bytes];                                         \
    const uint32_t perigee_mailbox_len = (mailbox_bytes);                                             \
    PERIGEE_NUMBER(abi, PERIGEE_ABI_VERSION)                                                          \
    PERIGEE_NUMBER(batch, (uint32_t)(uintptr_t)&perigee)                                              \
    PERIGEE_NUMBER(window, (uint32_t)(uintptr_t)perigee_window_range)                                 \
    PERIGEE_NUMBER(window_len, sizeof perigee_window_range)                                           \
    PERIGEE_NUMBER(mailbox, (uint32_t)(uintptr_t)perigee_mailbox)                                     \
    PERIGEE_NUMBER(mailbox_len, perigee_mailbox_len)                                                  \
    PERIGEE_NUMBER(spares, (spare_rooms))                                                             \
    PERIGEE_NUMBER(state_version, (version))

/* Declares a flat state region of `bytes` bytes, a multiple of 4096: once, at file scope. The host moves it to the instance
 * that takes this one's place without a copy. It is all 0 in the beginning, and `restore` says that it is another's.
 * `perigee_state()` is where it is, from `init` on; keep offsets into it, not addresses. */
#define PERIGEE_STATE(bytes)                                                                          \
    PERIGEE_ASSERT((bytes) % 4096 == 0, "a state region has a multiple of 4096 bytes");               \
    PERIGEE_ALIGN(4096) uint8_t perigee_state_range[(bytes) + PERIGEE_WINDOW_ALIGN];                  \
    PERIGEE_NUMBER(state, (uint32_t)(uintptr_t)perigee_state_range)                                   \
    PERIGEE_NUMBER(state_len, sizeof perigee_state_range)

static inline void *perigee_state(void) { return (void *)(uintptr_t)perigee.header.state; }

/* Callbacks: define those that you want. Those with a result: 0 or more is yes (for message and save the length of
 * what is in the mailbox), anything else comes from `perigee_refuse`. */
PERIGEE_EXPORT("init") int32_t init(uint32_t len);        /* `len` bytes of configuration are in the mailbox */
PERIGEE_EXPORT("prefill") void prefill(uint32_t count);   /* write a template into so many rooms */
PERIGEE_EXPORT("generate") void generate(uint32_t count); /* make packets in so many rooms */
PERIGEE_EXPORT("process") void process(uint32_t count);   /* decide about so many packets; 0 on a tick */
PERIGEE_EXPORT("tick") void tick(void);                   /* run timers: every millisecond or as configured */
PERIGEE_EXPORT("message") int32_t message(uint32_t len);  /* `len` bytes of message are in the mailbox */
PERIGEE_EXPORT("save") int32_t save(void);                /* write the state into the mailbox */
PERIGEE_EXPORT("restore") int32_t restore(uint32_t len);  /* take over `len` bytes of state of version `perigee.header.state_version` */

/* Hostcalls. Only `perigee_host_time` is for every day; the others have functions below. */
PERIGEE_IMPORT("log") void perigee_host_log(uint32_t level, const void *text, uint32_t len);
PERIGEE_IMPORT("counter") void perigee_host_counter(uint32_t index, const void *name, uint32_t len);
PERIGEE_IMPORT("time") uint64_t perigee_host_time(void); /* nanoseconds since the run began, now */
PERIGEE_IMPORT("tell") int32_t perigee_host_tell(uint32_t target, const void *message, uint32_t len);
PERIGEE_IMPORT("region") uint64_t perigee_host_region(int32_t question);

/* ---- Packets and verdicts. `packet` points into `perigee.packets`, or to a spare room ---- */

/* The bytes, from the Ethernet header on: as many as `perigee_packet_len` says are the packet's. */
PERIGEE_INLINE uint8_t *perigee_packet_bytes(const struct perigee_packet *packet) {
    return (uint8_t *)(uintptr_t)packet->addr;
}
/* Length in bytes. Read it before bytes are written: the compiler must think that these might change it. */
PERIGEE_INLINE uint16_t perigee_packet_len(const struct perigee_packet *packet) { return packet->len; }
/* Number of the port that it came from; PERIGEE_NO_PORT for a generated one. */
PERIGEE_INLINE uint16_t perigee_packet_port(const struct perigee_packet *packet) { return packet->port; }

/* Verdicts. The host wrote Drop, so a packet that is forgotten is dropped. */
PERIGEE_INLINE void perigee_drop(struct perigee_packet *packet) { packet->verdict = PERIGEE_DROP; }
PERIGEE_INLINE void perigee_next(struct perigee_packet *packet) { packet->verdict = PERIGEE_NEXT; }
PERIGEE_INLINE void perigee_tx(struct perigee_packet *packet, uint16_t port) { packet->verdict = PERIGEE_TX(port); }
PERIGEE_INLINE void perigee_tx_back(struct perigee_packet *packet) { packet->verdict = PERIGEE_TX(packet->port); }
PERIGEE_INLINE void perigee_ring(struct perigee_packet *packet, uint16_t number) {
    packet->verdict = PERIGEE_RING(number);
}
/* Leaves it to the output list; without an entry there it is dropped. */
PERIGEE_INLINE void perigee_list(struct perigee_packet *packet) { packet->verdict = PERIGEE_LISTED; }

/* Bytes by which a packet can grow at its front. */
PERIGEE_INLINE uint32_t perigee_packet_headroom(const struct perigee_packet *packet) {
    uint32_t start = perigee.header.window + packet->slot * PERIGEE_SLOT_UNIT;
    return packet->addr > start ? packet->addr - start : 0;
}
/* Length that it can have at most where it begins now. */
PERIGEE_INLINE uint32_t perigee_packet_capacity(const struct perigee_packet *packet) {
    uint32_t room = perigee.header.headroom + perigee.header.room_len, used = perigee_packet_headroom(packet);
    return room > used ? room - used : 0;
}
/* Makes it `count` bytes longer at its front and gives its new first byte, or NULL where there is no such room. */
PERIGEE_INLINE uint8_t *perigee_prepend(struct perigee_packet *packet, uint16_t count) {
    uint32_t len = (uint32_t)packet->len + count;
    if (count > perigee_packet_headroom(packet) || len > UINT16_MAX) return NULL;
    packet->addr -= count;
    packet->len = (uint16_t)len;
    return perigee_packet_bytes(packet);
}
/* Takes `count` bytes off its front, and says whether it was that long. */
PERIGEE_INLINE bool perigee_trim(struct perigee_packet *packet, uint16_t count) {
    if (count > packet->len) return false;
    packet->addr += count;
    packet->len = (uint16_t)(packet->len - count);
    return true;
}
/* Makes it longer or shorter at its end, and says whether it fits its room. New bytes hold anything. */
PERIGEE_INLINE bool perigee_set_len(struct perigee_packet *packet, uint16_t len) {
    if (len > packet->len && len > perigee_packet_capacity(packet)) return false;
    packet->len = len;
    return true;
}

/* ---- Requests to the way out. Use none where none is needed: one makes the whole batch dearer ---- */

/* Asks for checksums: PERIGEE_TX_... bits, and the lengths of the Ethernet header with its tags and of the IP
 * header. */
PERIGEE_INLINE void perigee_ask_checksums(struct perigee_packet *packet, uint32_t flags, uint8_t l2_len,
                                          uint8_t l3_len) {
    packet->tx_flags |= flags;
    packet->l2_len = l2_len;
    packet->l3_len = l3_len;
}
/* Whether the host took a VLAN tag off the packet, and its TCI. It is put back on tx, unless it is removed. */
PERIGEE_INLINE bool perigee_vlan(const struct perigee_packet *packet, uint16_t *tci) {
    if (!(packet->rx_flags & PERIGEE_RX_VLAN_STRIPPED)) return false;
    *tci = packet->vlan;
    return true;
}
PERIGEE_INLINE void perigee_insert_vlan(struct perigee_packet *packet, uint16_t tci) {
    packet->tx_flags |= PERIGEE_TX_VLAN_INSERT;
    packet->vlan = tci;
}
PERIGEE_INLINE void perigee_remove_vlan(struct perigee_packet *packet) { packet->tx_flags &= ~PERIGEE_TX_VLAN_INSERT; }
/* Asks for one of the lcore's tx queues of the port. */
PERIGEE_INLINE void perigee_set_queue(struct perigee_packet *packet, uint16_t queue) {
    packet->tx_flags |= PERIGEE_TX_QUEUE;
    packet->queue = queue;
}
/* Asks to be sent at a time of the run's clock (PERIGEE_TX_TIME), or so long after the packet before it
 * (PERIGEE_TX_GAP). */
PERIGEE_INLINE void perigee_set_time(struct perigee_packet *packet, uint32_t flag, uint64_t nanoseconds) {
    packet->tx_flags |= flag;
    packet->time = nanoseconds;
}

/* Asks the host to write the time of departure there: 8 bytes, and two that keep checksums right. */
PERIGEE_INLINE void perigee_set_stamp(struct perigee_packet *packet, uint16_t offset) {
    packet->tx_flags |= PERIGEE_TX_STAMP;
    packet->stamp = offset;
}

/* ---- The output list: packets created, copied, reordered and given back, after those with a verdict in place ---- */

/* An entry of the list to be filled, or NULL where it is full. */
PERIGEE_INLINE struct perigee_packet *perigee_output(void) {
    uint32_t count = perigee.header.out_count;
    if (count >= PERIGEE_MAX_OUTPUTS) return NULL;
    perigee.header.out_count = count + 1;
    return &perigee.outputs[count];
}
/* Puts a packet into the list as it is now: one of this batch or a spare room. The first entry moves a packet with
 * the verdict Listed, each further one makes a copy; a spare room can be put once. False where the list is full. */
PERIGEE_INLINE bool perigee_put(const struct perigee_packet *packet, uint32_t verdict) {
    uint32_t index = (uint32_t)((uintptr_t)packet - (uintptr_t)perigee.packets) / sizeof *packet;
    bool is_spare = index >= PERIGEE_MAX_BATCH; /* spare rooms follow the packets */
    struct perigee_packet *entry = perigee_output();
    if (!entry) return false;
    *entry = *packet;
    entry->verdict = verdict;
    entry->source = is_spare ? PERIGEE_SOURCE_SPARE + index - PERIGEE_MAX_BATCH : PERIGEE_SOURCE_INPUT + index;
    return true;
}
/* Spare room number `index`, or NULL where there is none. Make a packet of it by `perigee_set_len`, write its bytes,
 * which hold anything, and send it by `perigee_put`. One that is not sent comes again in the next call. */
PERIGEE_INLINE struct perigee_packet *perigee_spare(uint32_t index) {
    bool there = index < perigee.header.spare_count && index < PERIGEE_MAX_SPARES && perigee.spares[index].addr;
    return there ? &perigee.spares[index] : NULL;
}

/* A packet that the module keeps beyond the call. All of it are numbers that stay true in another instance of the
 * module, so it may be part of saved state. */
struct perigee_held {
    uint32_t slot, generation, start, mark, tx_flags;
    uint16_t len, port, vlan, reserved;
};
/* Keeps a packet. The host frees what is held for too long, and drops what is held beyond `hold_quota`. */
PERIGEE_INLINE struct perigee_held perigee_hold(struct perigee_packet *packet) {
    uint32_t start = packet->addr - perigee.header.window, tag = packet->tx_flags & PERIGEE_TX_VLAN_INSERT;
    struct perigee_held held = {packet->slot, packet->generation, start, packet->mark, tag,
                                packet->len,  packet->port,       packet->vlan, 0};
    packet->verdict = PERIGEE_HOLD;
    return held;
}
/* The bytes of a held packet: `held->len` of them. NULL where it does not lie in the window. */
PERIGEE_INLINE uint8_t *perigee_held_bytes(const struct perigee_held *held) {
    bool inside = (uint64_t)held->start + held->len <= perigee.header.window_len;
    return inside ? (uint8_t *)(uintptr_t)(perigee.header.window + held->start) : NULL;
}
/* Gives a held packet its verdict; it is held no longer. False where the list is full: try in the next call. */
PERIGEE_INLINE bool perigee_give_back(const struct perigee_held *held, uint32_t verdict) {
    struct perigee_packet *entry = perigee_output();
    if (!entry) return false;
    struct perigee_packet given = {perigee.header.window + held->start, held->len, held->port, verdict, held->mark,
                                   held->slot, held->generation, 0, held->tx_flags, 0, 0, held->vlan, 0, 0, 0,
                                   PERIGEE_SOURCE_HELD, 0, 0};
    *entry = given;
    return true;
}

/* ---- What a C library would bring. For a constant length compilers make their own, better code ---- */

#ifdef __wasm_bulk_memory__
#define PERIGEE_MEMORY(otherwise, builtin) builtin
#else
#define PERIGEE_MEMORY(otherwise, builtin) otherwise
#endif
#define PERIGEE_LIBRARY __attribute__((weak, no_builtin))

PERIGEE_LIBRARY void *memcpy(void *to, const void *from, size_t len) {
    uint8_t *t = (uint8_t *)to;
    const uint8_t *f = (const uint8_t *)from;
    PERIGEE_MEMORY(while (len--) *t++ = *f++, __builtin_memcpy(t, f, len));
    return to;
}
PERIGEE_LIBRARY void *memmove(void *to, const void *from, size_t len) {
    uint8_t *t = (uint8_t *)to;
    const uint8_t *f = (const uint8_t *)from;
    if (t <= f) return memcpy(to, from, len); /* which goes forward, or is an instruction that minds overlaps */
    PERIGEE_MEMORY(while (len--) t[len] = f[len], __builtin_memmove(t, f, len));
    return to;
}
PERIGEE_LIBRARY void *memset(void *to, int byte, size_t len) {
    uint8_t *t = (uint8_t *)to;
    PERIGEE_MEMORY(while (len--) *t++ = (uint8_t)byte, __builtin_memset(t, byte, len));
    return to;
}
PERIGEE_LIBRARY int memcmp(const void *one, const void *two, size_t len) {
    const uint8_t *a = (const uint8_t *)one, *b = (const uint8_t *)two;
    while (len && *a == *b) a++, b++, len--;
    return len ? *a - *b : 0;
}
PERIGEE_LIBRARY size_t strlen(const char *text) {
    size_t len = 0;
    while (text[len]) len++;
    return len;
}

/* ---- Counters, log, configuration, facts ---- */

/* Gives a counter (0 to 63) the name under which the host shows it; only in `init`. */
PERIGEE_INLINE void perigee_counter(uint32_t index, const char *name) {
    perigee_host_counter(index, name, (uint32_t)strlen(name));
}
PERIGEE_INLINE void perigee_count(uint32_t index, uint64_t amount) { perigee.counters[index] += amount; }

enum perigee_level { PERIGEE_ERROR = 1, PERIGEE_WARN, PERIGEE_INFO, PERIGEE_DEBUG, PERIGEE_TRACE };
/* Logs a line. For setup and rare events: the host takes only so many. */
PERIGEE_INLINE void perigee_log(enum perigee_level level, const char *line) {
    perigee_host_log((uint32_t)level, line, (uint32_t)strlen(line));
}
/* What `perigee_tell` says: told, or why not. */
enum perigee_told { PERIGEE_TOLD = 0, PERIGEE_TELL_FULL = -1, PERIGEE_TELL_TOO_LONG = -2, PERIGEE_TELL_NOT_GRANTED = -3 };
#define PERIGEE_TELL_MAX 16384u /* bytes of a message */
/* Tells all instances of a module something, or none: each gets it by `message` between two bursts, and its reply goes
 * nowhere. `target` counts the modules that `grants.tell` names, from 0. For rare events. */
PERIGEE_INLINE int32_t perigee_tell(uint32_t target, const void *message, uint32_t len) {
    return perigee_host_tell(target, message, len);
}
/* Answers of `perigee_region_whose`: the state region is the module's own, or there is none; it is its own, but others who read it do not
 * see changes now; it is another module's, to read. */
enum perigee_whose { PERIGEE_REGION_OWN = 0, PERIGEE_REGION_WAITS = 1, PERIGEE_REGION_OTHERS = 2 };
/* Whose the state region is. */
PERIGEE_INLINE enum perigee_whose perigee_region_whose(void) {
    return (enum perigee_whose)perigee_host_region(0);
}
/* Begins a turn, and tells its number: who is called from then on finds in the region what was written before. */
PERIGEE_INLINE uint64_t perigee_region_turn(void) {
    return perigee_host_region(1);
}
/* The turn that all who read the region have reached: what was not led to any more when it began, nobody looks at. */
PERIGEE_INLINE uint64_t perigee_region_reached(void) {
    return perigee_host_region(2);
}
/* `return perigee_refuse("...")` refuses a configuration, a message or a state, and tells the operator why. */
PERIGEE_INLINE int32_t perigee_refuse(const char *why) {
    uint32_t len = (uint32_t)strlen(why);
    if (!len) why = "refused", len = 7; /* a result of 0 would say yes */
    if (len > perigee_mailbox_len) len = perigee_mailbox_len;
    memcpy(perigee_mailbox, why, len);
    return -(int32_t)len;
}
/* Whether a configuration of `len` bytes says nothing: it is empty, or the table {}. */
PERIGEE_INLINE bool perigee_is_empty(uint32_t len) {
    return len == 0 || (len == 2 && perigee_mailbox[0] == '{' && perigee_mailbox[1] == '}');
}
PERIGEE_INLINE bool perigee_is_draining(void) { return (perigee.header.flags & PERIGEE_BATCH_DRAIN) != 0; }
/* Unix time of the batch in nanoseconds. */
PERIGEE_INLINE uint64_t perigee_unix_ns(void) { return perigee.header.start_unix_ns + perigee.header.time_ns; }

/* ---- Bytes: unaligned loads and stores in network order, and in that of memory (le) ---- */

PERIGEE_INLINE uint16_t perigee_load_le16(const void *at) { uint16_t v; __builtin_memcpy(&v, at, 2); return v; }
PERIGEE_INLINE uint32_t perigee_load_le32(const void *at) { uint32_t v; __builtin_memcpy(&v, at, 4); return v; }
PERIGEE_INLINE uint64_t perigee_load_le64(const void *at) { uint64_t v; __builtin_memcpy(&v, at, 8); return v; }
PERIGEE_INLINE void perigee_store_le16(void *at, uint16_t v) { __builtin_memcpy(at, &v, 2); }
PERIGEE_INLINE void perigee_store_le32(void *at, uint32_t v) { __builtin_memcpy(at, &v, 4); }
PERIGEE_INLINE void perigee_store_le64(void *at, uint64_t v) { __builtin_memcpy(at, &v, 8); }
PERIGEE_INLINE uint16_t perigee_load_be16(const void *at) { return __builtin_bswap16(perigee_load_le16(at)); }
PERIGEE_INLINE uint32_t perigee_load_be32(const void *at) { return __builtin_bswap32(perigee_load_le32(at)); }
PERIGEE_INLINE uint64_t perigee_load_be64(const void *at) { return __builtin_bswap64(perigee_load_le64(at)); }
PERIGEE_INLINE void perigee_store_be16(void *at, uint16_t v) { perigee_store_le16(at, __builtin_bswap16(v)); }
PERIGEE_INLINE void perigee_store_be32(void *at, uint32_t v) { perigee_store_le32(at, __builtin_bswap32(v)); }
PERIGEE_INLINE void perigee_store_be64(void *at, uint64_t v) { perigee_store_le64(at, __builtin_bswap64(v)); }

/* Swaps the two MAC addresses of a frame: two loads and two stores for its first twelve bytes. */
PERIGEE_INLINE void perigee_swap_macs(uint8_t *frame) {
    uint64_t first = perigee_load_le64(frame), last = perigee_load_le32(frame + 8);
    perigee_store_le64(frame, first >> 48 | last << 16 | first << 48);
    perigee_store_le32(frame + 8, (uint32_t)(first >> 16));
}

/* The Internet checksum (RFC 1071). A sum is of 16-bit words in network order, and may be added to others. */
PERIGEE_INLINE uint16_t perigee_checksum_fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}
/* The sum of `len` bytes; a last odd one counts as the upper half of a word. */
PERIGEE_INLINE uint32_t perigee_checksum_sum(const void *data, size_t len) {
    const uint8_t *at = (const uint8_t *)data;
    uint64_t sum = 0;
    for (; len >= 4; at += 4, len -= 4) sum += perigee_load_le32(at); /* the order does not matter: RFC 1071, 2 (B) */
    if (len & 2) sum += perigee_load_le16(at);
    if (len & 1) sum += at[len - 1];
    return __builtin_bswap16(perigee_checksum_fold(sum));
}
/* The checksum that stands in a header for a sum. UDP writes 0xffff where this is 0. */
PERIGEE_INLINE uint16_t perigee_checksum(uint64_t sum) { return (uint16_t)~perigee_checksum_fold(sum); }
/* The checksum after a word of what it covers changed (RFC 1624). Where the word is 0 now, the rest may be 0 as well: then
 * 0xffff is right, and 0 would be wrong (RFC 1071). */
PERIGEE_INLINE uint16_t perigee_checksum_update(uint16_t checksum, uint16_t before, uint16_t after) {
    uint16_t changed = perigee_checksum((uint64_t)(uint16_t)~checksum + (uint16_t)~before + after);
    return changed == 0 && after == 0 ? 0xffff : changed;
}
/* The sum of what stands before UDP and TCP for their checksums: both addresses (4 or 16 bytes each), protocol,
 * length. */
PERIGEE_INLINE uint32_t perigee_checksum_pseudo(const void *source, const void *destination, size_t address_len,
                                                uint8_t protocol, uint32_t len) {
    uint32_t addresses = perigee_checksum_sum(source, address_len) + perigee_checksum_sum(destination, address_len);
    return addresses + protocol + (len >> 16) + (len & 0xffff);
}

/* ---- Random numbers for traffic: fast, reproducible, not for secrets. The same as in the SDK for Rust ---- */

struct perigee_random { uint64_t state; };
struct perigee_pair { uint32_t first, second; };

/* Spreads the bits of a seed, so that neighbouring seeds give unrelated sequences (the last step of splitmix64). */
PERIGEE_INLINE uint64_t perigee_seed_mix(uint64_t seed) {
    uint64_t mixed = seed + 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}
/* Knuth's linear congruential generator, started from a seed such as `perigee.header.seed`. */
PERIGEE_INLINE struct perigee_random perigee_random_start(uint64_t seed) {
    struct perigee_random random = {perigee_seed_mix(seed)};
    return random;
}
/* The next 64 bits; of each half the upper ones are good. */
PERIGEE_INLINE uint64_t perigee_random_next(struct perigee_random *random) {
    return random->state = random->state * 6364136223846793005u + 1442695040888963407u;
}
/* A number below `span`, which may be 2^32. */
PERIGEE_INLINE uint32_t perigee_random_below(struct perigee_random *random, uint64_t span) {
    return (uint32_t)((perigee_random_next(random) >> 32) * span >> 32);
}
/* Two numbers, below `first` and below `second`, from one draw. */
PERIGEE_INLINE struct perigee_pair perigee_random_pair(struct perigee_random *random, uint64_t first,
                                                       uint64_t second) {
    uint64_t draw = perigee_random_next(random);
    uint32_t one = (uint32_t)((draw >> 32) * first >> 32), two = (uint32_t)((draw & 0xffffffff) * second >> 32);
    struct perigee_pair pair = {one, two};
    return pair;
}

#ifdef __cplusplus
}
#endif
#endif
