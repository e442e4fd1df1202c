/* Generator: UDP from 256 addresses and 32,768 ports, drawn at random. The packets are those that modules/udp-gen
 * makes with the same seed where it is not configured. */
#include "perigee.h"

PERIGEE_MODULE(64 * PERIGEE_MIB, 4 * PERIGEE_KIB, 0, 1)

enum { PACKETS, BYTES };
enum { IP = 14, UDP = IP + 20, LEN = 60 };

static uint8_t frame[LEN];
static struct perigee_random numbers;
/* Sum of the IPv4 header without source address and checksum, in the order of memory, as all below. */
static uint32_t ip_sum;

/* 10.0.0.0 to 10.0.0.255, ports 32768 to 65535: where first and mask are powers of two, random bits need no scaling.
 * And as they have no order, nothing needs to be swapped for each packet; the Internet checksum comes out right in
 * either order. */
#define FIRST_ADDRESS __builtin_bswap32(0x0a000000u)
#define ADDRESS_MASK __builtin_bswap32(0x000000ffu)
#define FIRST_PORT __builtin_bswap16(0x8000u)
#define PORT_MASK __builtin_bswap16(0x7fffu)

static void make_frame(void) {
    static const uint8_t here[6] = {2, 0, 0, 0, 0, 1}, there[6] = {2, 0, 0, 0, 0, 2}, none[6];
    uint32_t port = perigee.header.next_port;
    const uint8_t *mac = port < perigee.header.port_count ? perigee.ports[port].mac : none;
    memcpy(frame, there, 6);
    memcpy(frame + 6, memcmp(mac, none, 6) ? mac : here, 6);
    perigee_store_be16(frame + 12, 0x0800);

    frame[IP] = 0x45; /* version 4, five words of header */
    perigee_store_be16(frame + IP + 2, LEN - IP);
    frame[IP + 8] = 64; /* time to live */
    frame[IP + 9] = 17; /* UDP */
    perigee_store_be32(frame + IP + 16, 0x0a010001);
    ip_sum = __builtin_bswap16(perigee_checksum_fold(perigee_checksum_sum(frame + IP, 20)));

    perigee_store_be16(frame + UDP + 2, 9);
    perigee_store_be16(frame + UDP + 4, LEN - UDP);
}

int32_t init(uint32_t len) {
    perigee_counter(PACKETS, "packets");
    perigee_counter(BYTES, "bytes");
    if (!perigee_is_empty(len)) {
        return perigee_refuse("udp-gen in C has nothing to configure: leave `config` out");
    }
    numbers = perigee_random_start(perigee.header.seed);
    make_frame();
    return 0;
}

void prefill(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *room = &perigee.packets[i];
        if (perigee_set_len(room, LEN)) memcpy(perigee_packet_bytes(room), frame, LEN);
    }
}

void generate(uint32_t count) {
    struct perigee_random random = numbers; /* A local copy stays in registers. */
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *room = &perigee.packets[i];
        uint8_t *ip = perigee_packet_bytes(room) + IP;
        uint64_t draw = perigee_random_next(&random);
        uint32_t address = ((uint32_t)(draw >> 32) & ADDRESS_MASK) | FIRST_ADDRESS;
        uint16_t port = ((uint16_t)(draw >> 16) & PORT_MASK) | FIRST_PORT;
        perigee_next(room);
        perigee_store_le16(ip + 10, perigee_checksum(ip_sum + (address >> 16) + (address & 0xffff)));
        perigee_store_le32(ip + 12, address);
        perigee_store_le16(ip + 20, port);
    }
    numbers = random;
    perigee_count(PACKETS, count);
    perigee_count(BYTES, (uint64_t)count * LEN);
}
