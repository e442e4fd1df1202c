/* The contract between Perigee and packet modules, ABI version 3: its numbers and what lies in shared memory, for
 * C11 and C++17. docs/abi.md explains each of them; perigee.h, which includes this file, is what modules are written
 * with.
 *
 * Licensed as Perigee is: MIT or Apache-2.0, at your choice. */
#ifndef PERIGEE_ABI_H
#define PERIGEE_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define PERIGEE_ASSERT(condition, text) static_assert(condition, text)
#else
#define PERIGEE_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define PERIGEE_ABI_VERSION 3u
#define PERIGEE_MAX_BATCH 256u        /* packets in a batch */
#define PERIGEE_MAX_SPARES 64u        /* spare rooms */
#define PERIGEE_MAX_OUTPUTS 256u      /* entries of the output list */
#define PERIGEE_MAX_PORTS 32u         /* ports of a run */
#define PERIGEE_MAX_COUNTERS 64u      /* counters of a module */
#define PERIGEE_WINDOW_ALIGN 2097152u /* the host maps packets at a multiple of this inside the window */
#define PERIGEE_SLOT_UNIT 64u         /* `slot` times this is where a room begins in the mapped window */
#define PERIGEE_LOG_MAX 240u          /* bytes of a log line; the rest is cut */
#define PERIGEE_NO_PORT 0xffffu       /* `port` of a packet that was made here; `next_port` where there is none */

/* `header.flags`: what is special about a batch. */
#define PERIGEE_BATCH_MORE 1u  /* the source gave as many packets as were asked for: more are waiting */
#define PERIGEE_BATCH_TICK 2u  /* a tick, without packets */
#define PERIGEE_BATCH_DRAIN 4u /* the run is ending: what is held after this call is freed */

/* Verdicts: what becomes of a packet. The kind is the low half, its argument the high half. */
#define PERIGEE_DROP 0u /* free it; what the host writes before each call */
#define PERIGEE_NEXT 1u /* to the next stage; after the last, to the chain's first tx port */
#define PERIGEE_TX(port) (2u | (uint32_t)(uint16_t)(port) << 16)   /* to a port, by its number in the run */
#define PERIGEE_RING(ring) (3u | (uint32_t)(uint16_t)(ring) << 16) /* into a ring to another lcore */
#define PERIGEE_HOLD 4u   /* the module keeps it; see `perigee_hold` */
#define PERIGEE_LISTED 5u /* the output list says; see `perigee_put` */

/* `rx_flags`: what the port found out. */
#define PERIGEE_RX_IP_CHECKSUM_GOOD 1u
#define PERIGEE_RX_IP_CHECKSUM_BAD 2u
#define PERIGEE_RX_L4_CHECKSUM_GOOD 4u
#define PERIGEE_RX_L4_CHECKSUM_BAD 8u
#define PERIGEE_RX_VLAN_STRIPPED 16u /* a tag was taken off; `vlan` holds its TCI */
#define PERIGEE_RX_HASH 32u          /* `hash` is valid */
#define PERIGEE_RX_TIME 64u          /* `time` is valid */

/* `tx_flags`: what is asked of the way out. What the port's hardware cannot do, the host does in software. */
#define PERIGEE_TX_IP_CHECKSUM 1u  /* the IPv4 header checksum */
#define PERIGEE_TX_UDP_CHECKSUM 2u /* the UDP checksum */
#define PERIGEE_TX_TCP_CHECKSUM 4u /* the TCP checksum; not together with UDP's */
#define PERIGEE_TX_IPV4 8u         /* the network layer is IPv4; with any checksum, exactly one of these two */
#define PERIGEE_TX_IPV6 16u        /* the network layer is IPv6 */
#define PERIGEE_TX_VLAN_INSERT 32u /* a tag with the TCI in `vlan`; set beforehand where the host stripped one */
#define PERIGEE_TX_QUEUE 64u       /* from the lcore's tx queue number `queue` */
#define PERIGEE_TX_TIME 128u       /* at `time` of the run's clock; this and the next two need the grant `pace` */
#define PERIGEE_TX_GAP 256u        /* `time` nanoseconds after the packet before it */
#define PERIGEE_TX_STAMP 512u      /* the host writes the departure at `stamp`, 8 bytes in network order; the two
                                    * behind them keep checksums right */
#define PERIGEE_TX_ALL 1023u       /* all that have a meaning; a packet with another bit is dropped */

/* `offloads` of a port: what it does in hardware. */
#define PERIGEE_OFFLOAD_TX_VLAN 1u
#define PERIGEE_OFFLOAD_TX_IP_CHECKSUM 2u
#define PERIGEE_OFFLOAD_TX_UDP_CHECKSUM 4u
#define PERIGEE_OFFLOAD_TX_TCP_CHECKSUM 8u
#define PERIGEE_OFFLOAD_RX_CHECKSUM 16u
#define PERIGEE_OFFLOAD_RX_TIME 32u
#define PERIGEE_OFFLOAD_TX_TIME 64u

/* `source` in the output list: which packet an entry speaks of. */
#define PERIGEE_SOURCE_INPUT 0u       /* plus i: packet i of this batch */
#define PERIGEE_SOURCE_SPARE 0x10000u /* plus i: spare room i */
#define PERIGEE_SOURCE_HELD 0x20000u  /* a held packet, found by slot and generation */

/* ---- What lies in shared memory ---- */

/* A packet's descriptor. The first half is always true; from `hash` on only where rx_flags (on the way in) or
 * tx_flags (on the way out) is not 0. Addresses are good for this call only. */
struct perigee_packet {
    uint32_t addr;     /* address of the first byte; moved by `perigee_prepend` and `perigee_trim` */
    uint16_t len;      /* bytes, without frame check sequence */
    uint16_t port;     /* port that it came from */
    uint32_t verdict;  /* what shall become of it */
    uint32_t mark;     /* travels with it from stage to stage and through rings */
    uint32_t slot;     /* its room: offset in the mapped window in units of 64 bytes */
    uint32_t generation; /* with `slot` its identity: low half of the batch's number */
    uint32_t rx_flags; /* what the port found out */
    uint32_t tx_flags; /* what is asked of the way out */
    uint32_t hash;     /* RSS hash, with PERIGEE_RX_HASH */
    uint16_t queue;    /* in: rx queue. Out: tx queue, with PERIGEE_TX_QUEUE */
    uint16_t vlan;     /* TCI of the tag that was stripped or is to be inserted */
    uint8_t l2_len;    /* length of the Ethernet header and its tags, for checksums */
    uint8_t l3_len;    /* length of the IP header with options or extension headers, for checksums */
    uint16_t stamp;    /* out: where the departure is written, with PERIGEE_TX_STAMP */
    uint32_t source;   /* in the output list: which packet the entry speaks of */
    uint64_t time;     /* in: when it came, nanoseconds of the run's clock. Out: departure time or gap */
    uint64_t reserved2;
};

/* Facts of the batch and of the run. A module reads them; `perigee_put` and `perigee_give_back` write `out_count`. */
struct perigee_header {
    uint32_t count;         /* packets in this batch: the callback's argument */
    uint32_t flags;         /* PERIGEE_BATCH_... */
    uint64_t time_ns;       /* nanoseconds since the run began, read once for the batch */
    uint64_t sequence;      /* number of the batch, from 1 */
    uint32_t out_count;     /* entries of the output list */
    uint32_t held;          /* packets that the module holds now */
    uint32_t spare_count;   /* entries of `spares` */
    uint32_t hold_quota;    /* most packets that it may hold */
    uint32_t stride;        /* bytes from one descriptor to the next: 64 */
    uint32_t abi;           /* the host's ABI version */
    uint32_t window;        /* address where the rooms are mapped */
    uint32_t window_len;    /* bytes mapped there */
    uint64_t seed;          /* for random numbers: differs by instance, the same again in a run with the same seed */
    uint64_t start_unix_ns; /* Unix time when the run began */
    uint32_t instance;      /* which of the chain's workers this is, from 0 */
    uint32_t instances;     /* how many there are */
    uint32_t port_count;    /* valid entries of `ports` */
    uint32_t ring_count;    /* rings of the run */
    uint32_t headroom;      /* bytes of a fresh room in front of the packet */
    uint32_t next_port;     /* port that PERIGEE_NEXT leads to after the last stage, or PERIGEE_NO_PORT */
    uint32_t room_len;      /* largest packet that fits a fresh room */
    uint32_t state_version; /* version of the state that `restore` shall take over */
    uint32_t state;         /* address of the flat state region; 0 where there is none */
    uint32_t state_len;     /* bytes of it */
    uint32_t finished;      /* a generator's: not 0 when it will make no more packets */
    uint32_t pacing;        /* by what packets leave at their times: 0 nothing, 1 the host's software */
    uint64_t late;          /* packets of this instance that left late */
};

/* A port of the run. */
struct perigee_port {
    uint8_t mac[6];
    uint16_t mtu;        /* largest layer-3 packet in bytes */
    uint32_t link_up;    /* 1 where the link is up */
    uint32_t speed_mbps; /* 0 where unknown */
    uint32_t offloads;   /* PERIGEE_OFFLOAD_... */
    uint32_t may_tx;     /* 1 where this instance may send to it */
    uint32_t reserved[2];
};

/* All that host and module share, but for the packets' bytes and the mailbox. */
struct perigee_batch {
    struct perigee_header header;
    struct perigee_port ports[PERIGEE_MAX_PORTS];        /* by number */
    uint64_t counters[PERIGEE_MAX_COUNTERS];             /* shown by the host where `perigee_counter` named them */
    struct perigee_packet packets[PERIGEE_MAX_BATCH];    /* the packets of the batch, or rooms for new ones */
    struct perigee_packet spares[PERIGEE_MAX_SPARES];    /* see `perigee_spare` */
    struct perigee_packet outputs[PERIGEE_MAX_OUTPUTS];  /* see `perigee_put` */
};

#define PERIGEE_AT(type, field, offset) PERIGEE_ASSERT(offsetof(struct type, field) == (offset), #type "." #field)
PERIGEE_AT(perigee_packet, len, 4);
PERIGEE_AT(perigee_packet, port, 6);
PERIGEE_AT(perigee_packet, verdict, 8);
PERIGEE_AT(perigee_packet, mark, 12);
PERIGEE_AT(perigee_packet, slot, 16);
PERIGEE_AT(perigee_packet, generation, 20);
PERIGEE_AT(perigee_packet, rx_flags, 24);
PERIGEE_AT(perigee_packet, tx_flags, 28);
PERIGEE_AT(perigee_packet, hash, 32);
PERIGEE_AT(perigee_packet, queue, 36);
PERIGEE_AT(perigee_packet, vlan, 38);
PERIGEE_AT(perigee_packet, l2_len, 40);
PERIGEE_AT(perigee_packet, l3_len, 41);
PERIGEE_AT(perigee_packet, source, 44);
PERIGEE_AT(perigee_packet, time, 48);
PERIGEE_ASSERT(sizeof(struct perigee_packet) == 64, "perigee_packet");
PERIGEE_AT(perigee_header, time_ns, 8);
PERIGEE_AT(perigee_header, sequence, 16);
PERIGEE_AT(perigee_header, out_count, 24);
PERIGEE_AT(perigee_header, spare_count, 32);
PERIGEE_AT(perigee_header, window, 48);
PERIGEE_AT(perigee_header, seed, 56);
PERIGEE_AT(perigee_header, instance, 72);
PERIGEE_AT(perigee_header, headroom, 88);
PERIGEE_AT(perigee_header, room_len, 96);
PERIGEE_AT(perigee_header, state_version, 100);
PERIGEE_AT(perigee_header, state, 104);
PERIGEE_ASSERT(sizeof(struct perigee_header) == 128, "perigee_header");
PERIGEE_ASSERT(sizeof(struct perigee_port) == 32, "perigee_port");
PERIGEE_AT(perigee_batch, ports, 128);
PERIGEE_AT(perigee_batch, counters, 1152);
PERIGEE_AT(perigee_batch, packets, 1664);
PERIGEE_AT(perigee_batch, spares, 18048);
PERIGEE_AT(perigee_batch, outputs, 22144);
PERIGEE_ASSERT(sizeof(struct perigee_batch) == 38528, "perigee_batch");

#endif
