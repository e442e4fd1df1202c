/* Sends each packet back to the port that it came from, with its MAC addresses swapped. */
#include "perigee.h"

PERIGEE_MODULE(64 * PERIGEE_MIB, 4 * PERIGEE_KIB, 0, 1)

enum { PACKETS, BYTES, SHORT };

int32_t init(uint32_t len) {
    perigee_counter(PACKETS, "packets");
    perigee_counter(BYTES, "bytes");
    perigee_counter(SHORT, "short");
    return perigee_is_empty(len) ? 0 : perigee_refuse("reflector in C has nothing to configure: leave `config` out");
}

void process(uint32_t count) {
    uint64_t bytes = 0;
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *packet = &perigee.packets[i];
        uint16_t len = perigee_packet_len(packet);
        if (len < 14) {
            dropped++; /* Drop is the verdict that it has already. */
            continue;
        }
        perigee_tx_back(packet);
        perigee_swap_macs(perigee_packet_bytes(packet));
        bytes += len;
    }
    perigee_count(PACKETS, count - dropped);
    perigee_count(BYTES, bytes);
    perigee_count(SHORT, dropped);
}
