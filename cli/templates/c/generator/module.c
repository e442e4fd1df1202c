/* Makes UDP packets with random source ports. */
#include "perigee.h"

/* The areas that host and module share: window, mailbox, no spare rooms, version 1 of a state that it does not have. */
PERIGEE_MODULE(64 * PERIGEE_MIB, 4 * PERIGEE_KIB, 0, 1)

/* Counters are memory that the host reads: counting is an addition. */
enum { PACKETS, BYTES };

/* Where the headers begin, and how long a packet is, without frame check sequence. */
enum { IP = 14, UDP = IP + 20, END = UDP + 8, SIZE = 60 };

static uint8_t frame[SIZE];
static struct perigee_random random_numbers;

/* The address of the port by which packets leave, or one of our own. */
static const uint8_t *source(void) {
    static const uint8_t own[6] = {2, 0, 0, 0, 0, 1}, none[6];
    uint32_t port = perigee.header.next_port;
    if (port >= perigee.header.port_count || memcmp(perigee.ports[port].mac, none, 6) == 0) return own;
    return perigee.ports[port].mac;
}

/* Called once, before the first packet. What is refused here keeps the run from starting. */
int32_t init(uint32_t len) {
    static const uint8_t destination[6] = {2, 0, 0, 0, 0, 2};
    /* Version 4, five words of header; time to live 64, UDP; 10.0.0.1 to 10.1.0.1. */
    static const uint8_t ip[20] = {0x45, 0, 0, SIZE - IP, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 1, 0, 1};
    perigee_counter(PACKETS, "packets");
    perigee_counter(BYTES, "bytes");
    /* A configuration would be in perigee_mailbox: a table as JSON, a string as its bytes. */
    if (!perigee_is_empty(len)) return perigee_refuse("@NAME@ has nothing to configure: leave `config` out");

    memset(frame, 0, SIZE);
    memcpy(frame, destination, 6);
    memcpy(frame + 6, source(), 6);
    perigee_store_be16(frame + 12, 0x0800);
    memcpy(frame + IP, ip, 20);
    perigee_store_be16(frame + IP + 10, perigee_checksum(perigee_checksum_sum(frame + IP, 20)));
    perigee_store_be16(frame + UDP + 2, 9); /* to the port "discard" */
    perigee_store_be16(frame + UDP + 4, SIZE - UDP);
    random_numbers = perigee_random_start(perigee.header.seed);
    return 0;
}

/* Called once for each room of the pool: what stays the same in all packets is written here. */
void prefill(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *room = &perigee.packets[i];
        if (perigee_set_len(room, SIZE)) memcpy(perigee_packet_bytes(room), frame, SIZE);
    }
}

/* Called for each batch: a room without a verdict goes back unused. */
void generate(uint32_t count) {
    struct perigee_random random = random_numbers; /* A local copy stays in registers. */
    uint64_t made = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *room = &perigee.packets[i];
        if (!perigee_set_len(room, SIZE)) continue; /* It is too small. */
        /* 32768 to 65535. Without a UDP checksum (0 says that there is none), nothing else depends on it. */
        uint16_t port = (uint16_t)(0x8000 | perigee_random_below(&random, 0x8000));
        perigee_next(room);
        perigee_store_be16(perigee_packet_bytes(room) + UDP, port);
        made++;
    }
    random_numbers = random;
    perigee_count(PACKETS, made);
    perigee_count(BYTES, made * SIZE);
}
