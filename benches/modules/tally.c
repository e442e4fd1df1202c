/* Counts packets by their length in a flat state region, and passes them on: benches/modules/tally in C. One takes over from
 * the other, for their states have one layout: 64-bit counts by length in the region, the number of takeovers in the mailbox. */
#include "../../guest-sdk/c/perigee.h"

PERIGEE_MODULE(64 * PERIGEE_MIB, 4 * PERIGEE_KIB, 0, 1)
PERIGEE_STATE(4 * PERIGEE_MIB)

static uint64_t takeovers;

static uint64_t *count_of(uint32_t len) { return (uint64_t *)perigee_state() + len; }

int32_t init(uint32_t len) {
    (void)len;
    return perigee_state() ? 0 : perigee_refuse("the host gave no state region");
}

void process(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet *packet = &perigee.packets[i];
        ++*count_of(perigee_packet_len(packet));
        perigee_next(packet);
    }
}

int32_t message(uint32_t len) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t digit = (uint32_t)perigee_mailbox[i] - '0';
        if (digit > 9 || number > 6553) return perigee_refuse("a length is a number up to 65535");
        number = 10 * number + digit;
    }
    if (number > UINT16_MAX) return perigee_refuse("a length is a number up to 65535");
    uint64_t answer[2] = {*count_of(number), takeovers};
    __builtin_memcpy(perigee_mailbox, answer, sizeof answer);
    return sizeof answer;
}

int32_t save(void) {
    __builtin_memcpy(perigee_mailbox, &takeovers, sizeof takeovers);
    return sizeof takeovers;
}

int32_t restore(uint32_t len) {
    if (len != sizeof takeovers) return perigee_refuse("a state has eight bytes");
    __builtin_memcpy(&takeovers, perigee_mailbox, sizeof takeovers);
    takeovers++;
    return 0;
}
