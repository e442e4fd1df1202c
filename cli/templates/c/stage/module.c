/* Takes a hop off the time to live of IPv4 packets, as a router does, and passes everything on. */
#include "perigee.h"

/* The areas that host and module share: window, mailbox, no spare rooms, version 1 of a state that it does not have. */
PERIGEE_MODULE(64 * PERIGEE_MIB, 4 * PERIGEE_KIB, 0, 1)

/* Counters are memory that the host reads: counting is an addition. */
enum { PACKETS, BYTES, FORWARDED, EXPIRED };

/* Where things are in a frame without a VLAN tag. */
enum { TYPE = 12, IP = 14, TTL = IP + 8, CHECKSUM = IP + 10, END = IP + 20 };

/* Called once, before the first packet. What is refused here keeps the run from starting. */
int32_t init(uint32_t len) {
    perigee_counter(PACKETS, "packets");
    perigee_counter(BYTES, "bytes");
    perigee_counter(FORWARDED, "forwarded");
    perigee_counter(EXPIRED, "expired");
    /* A configuration would be in perigee_mailbox: a table as JSON, a string as its bytes. */
    return perigee_is_empty(len) ? 0 : perigee_refuse("@NAME@ has nothing to configure: leave `config` out");
}

/* Called for each batch of packets. They lie where the port put them; nothing is copied. */
void process(uint32_t count) {
    uint64_t bytes = 0, forwarded = 0, expired = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *packet = &perigee.packets[i];
        uint8_t *frame = perigee_packet_bytes(packet);
        /* Read before bytes are written: the compiler must think that these might change it. */
        uint16_t len = perigee_packet_len(packet);
        bytes += len;
        /* Nothing checks lengths for us: bytes behind the packet's end are another packet's. */
        if (len >= END && perigee_load_be16(frame + TYPE) == 0x0800 && frame[IP] >> 4 == 4) {
            if (frame[TTL] <= 1) {
                expired++;
                continue; /* Drop is the verdict that it has already. */
            }
            /* The checksum covers words of 16 bits. This one has the protocol in its lower half. */
            uint16_t before = perigee_load_be16(frame + TTL);
            uint16_t checksum = perigee_load_be16(frame + CHECKSUM);
            frame[TTL]--;
            perigee_store_be16(frame + CHECKSUM,
                               perigee_checksum_update(checksum, before, perigee_load_be16(frame + TTL)));
            forwarded++;
        }
        perigee_next(packet);
    }
    perigee_count(PACKETS, count);
    perigee_count(BYTES, bytes);
    perigee_count(FORWARDED, forwarded);
    perigee_count(EXPIRED, expired);
}
