/* The host's place in test.c: rooms for packets, and what the module says. */
#include <stdio.h>

static int failures;
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) failures++, fprintf(stderr, "test.c:%d: %s\n", __LINE__, #condition); \
    } while (0)

void perigee_host_log(uint32_t level, const void *text, uint32_t len) {
    fprintf(stderr, "log %u: %.*s\n", level, (int)len, (const char *)text);
}
/* Each counter has a name, and each name is a counter's. */
static uint64_t named;
void perigee_host_counter(uint32_t index, const void *name, uint32_t len) {
    CHECK(index < 64 && name && len);
    named |= 1ull << index;
}
uint64_t perigee_host_time(void) { return 0; }
int32_t perigee_host_tell(uint32_t target, const void *message, uint32_t len) {
    (void)target, (void)message, (void)len;
    return PERIGEE_TELL_NOT_GRANTED;
}

/* Starts a batch of `count` packets of `len` bytes, all 0, as the host lays them out: each behind the headroom of its
 * room. */
static void start_batch(uint32_t count, uint16_t len) {
    uint32_t range = (uint32_t)(uintptr_t)perigee_window_range, room = 128 + 2048;
    perigee.header.window = (range + PERIGEE_WINDOW_ALIGN - 1) & ~(PERIGEE_WINDOW_ALIGN - 1);
    perigee.header.window_len = 64 * PERIGEE_MIB;
    perigee.header.headroom = 128;
    perigee.header.room_len = 2048;
    perigee.header.next_port = PERIGEE_NO_PORT;
    perigee.header.seed = 1;
    for (uint32_t i = 0; i < count; i++) {
        struct perigee_packet packet = {0};
        packet.slot = i * room / PERIGEE_SLOT_UNIT;
        packet.addr = perigee.header.window + i * room + 128;
        packet.len = len;
        perigee.packets[i] = packet;
        memset(perigee_packet_bytes(&perigee.packets[i]), 0, len);
    }
}

/* Whether a call said no with this text. */
static bool is_refusal(int32_t result, const char *text) {
    return result == -(int32_t)strlen(text) && memcmp(perigee_mailbox, text, strlen(text)) == 0;
}
