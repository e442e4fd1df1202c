/* Tests of perigee.h. They run natively: without a position-independent executable, the areas' addresses have 32 bits. */
#include "perigee.h"

PERIGEE_MODULE(2 * PERIGEE_MIB, 256, 2, 1)

static int failures;
#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) failures++, __builtin_printf("test.c:%d: %s\n", __LINE__, #condition); \
    } while (0)

/* As the host lays out rooms: the packet behind the headroom, in the room that begins at `slot`. */
static void lay(struct perigee_packet *packet, uint32_t slot, uint16_t len) {
    struct perigee_packet fresh = {0};
    fresh.slot = slot;
    fresh.addr = perigee.header.window + slot * PERIGEE_SLOT_UNIT + perigee.header.headroom;
    fresh.len = len;
    *packet = fresh;
}

static void start_batch(void) {
    uint32_t range = (uint32_t)(uintptr_t)perigee_window_range;
    perigee.header.window = (range + PERIGEE_WINDOW_ALIGN - 1) & ~(PERIGEE_WINDOW_ALIGN - 1);
    perigee.header.window_len = 2 * PERIGEE_MIB;
    perigee.header.headroom = 128;
    perigee.header.room_len = 2048;
    perigee.header.out_count = 0;
    perigee.header.spare_count = 2;
    lay(&perigee.packets[0], 0, 60);
    lay(&perigee.packets[1], 34, 100);
    lay(&perigee.spares[0], 68, 0);
    perigee.spares[1].addr = 0;
}

static void test_rooms(void) {
    struct perigee_packet *packet = &perigee.packets[1];
    start_batch();
    uint32_t addr = packet->addr;
    CHECK(perigee_packet_headroom(packet) == 128 && perigee_packet_capacity(packet) == 2048);
    CHECK(perigee_prepend(packet, 129) == NULL && packet->len == 100);
    uint8_t *first = perigee_prepend(packet, 128);
    CHECK(first == perigee_packet_bytes(packet) && packet->addr == addr - 128 && packet->len == 228);
    CHECK(perigee_packet_headroom(packet) == 0 && perigee_packet_capacity(packet) == 2176);
    CHECK(perigee_set_len(packet, 2176) && !perigee_set_len(packet, 2177) && packet->len == 2176);
    CHECK(!perigee_trim(packet, 2177) && perigee_trim(packet, 2116) && packet->len == 60);
    /* One that came longer than the room that we know of may stay so. */
    packet->len = 3000;
    CHECK(perigee_set_len(packet, 2999) && packet->len == 2999);
    packet->len = UINT16_MAX;
    CHECK(perigee_trim(packet, 1) && perigee_prepend(packet, 1) && !perigee_prepend(packet, 1));
}

static void test_verdicts_and_requests(void) {
    struct perigee_packet *packet = &perigee.packets[0];
    uint16_t tci = 0;
    start_batch();
    packet->port = 3;
    perigee_tx_back(packet);
    CHECK(packet->verdict == 0x30002 && PERIGEE_RING(7) == 0x70003);
    CHECK(!perigee_vlan(packet, &tci));
    packet->rx_flags = PERIGEE_RX_VLAN_STRIPPED;
    perigee_insert_vlan(packet, 0x2064);
    CHECK(perigee_vlan(packet, &tci) && tci == 0x2064);
    perigee_ask_checksums(packet, PERIGEE_TX_IPV4 | PERIGEE_TX_IP_CHECKSUM, 14, 20);
    CHECK(packet->tx_flags == 41 && packet->l2_len == 14 && packet->l3_len == 20);
    perigee_remove_vlan(packet);
    perigee_set_time(packet, PERIGEE_TX_GAP, 500);
    CHECK(packet->tx_flags == 265 && packet->time == 500);
}

static void test_outputs(void) {
    start_batch();
    perigee_list(&perigee.packets[1]);
    CHECK(perigee_put(&perigee.packets[1], PERIGEE_TX(2)));
    CHECK(perigee.outputs[0].source == 1 && perigee.outputs[0].verdict == 0x20002 && perigee.outputs[0].slot == 34);
    CHECK(perigee_spare(1) == NULL && perigee_spare(2) == NULL);
    struct perigee_packet *spare = perigee_spare(0);
    CHECK(spare && perigee_set_len(spare, 60) && perigee_put(spare, PERIGEE_NEXT));
    CHECK(perigee.outputs[1].source == 0x10000 && perigee.outputs[1].len == 60);

    struct perigee_packet *packet = &perigee.packets[0];
    packet->generation = 9, packet->mark = 8, packet->vlan = 7, packet->tx_flags = PERIGEE_TX_ALL;
    struct perigee_held held = perigee_hold(packet);
    CHECK(packet->verdict == PERIGEE_HOLD && perigee_held_bytes(&held) == perigee_packet_bytes(packet));
    CHECK(perigee_give_back(&held, PERIGEE_NEXT));
    struct perigee_packet *entry = &perigee.outputs[2];
    CHECK(entry->addr == packet->addr && entry->len == 60 && entry->generation == 9 && entry->mark == 8);
    CHECK(entry->source == 0x20000 && entry->tx_flags == PERIGEE_TX_VLAN_INSERT && entry->vlan == 7);
    CHECK(perigee.header.out_count == 3);
    perigee.header.out_count = PERIGEE_MAX_OUTPUTS;
    CHECK(!perigee_give_back(&held, PERIGEE_NEXT) && !perigee_put(packet, PERIGEE_NEXT));
    held.start = perigee.header.window_len - 59;
    CHECK(perigee_held_bytes(&held) == NULL);
}

static void test_words(void) {
    char longer[300];
    memset(longer, 'x', 299);
    longer[299] = 0;
    CHECK(perigee_refuse("no") == -2 && memcmp(perigee_mailbox, "no", 2) == 0);
    CHECK(perigee_refuse("") == -7 && perigee_refuse(longer) == -256);
    CHECK(perigee_is_empty(0) && !perigee_is_empty(2));
    memcpy(perigee_mailbox, "{}", 2);
    CHECK(perigee_is_empty(2) && !perigee_is_empty(3));
    memcpy(longer, "abcdef", 6);
    memmove(longer + 1, longer, 5);
    CHECK(memcmp(longer, "aabcde", 6) == 0);
    memmove(longer, longer + 1, 5);
    CHECK(memcmp(longer, "abcdee", 6) == 0 && memcmp("a", "b", 1) < 0);
}

static void test_bytes(void) {
    /* The example of RFC 1071, section 3. */
    static const uint8_t words[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    CHECK(perigee_checksum_sum(words, 8) == 0xddf2 && perigee_checksum(0xddf2) == 0x220d);
    CHECK(perigee_checksum_sum(words + 2, 1) == 0xf200 && perigee_checksum_sum(words + 1, 3) == 0x04f2);
    CHECK(perigee_checksum_sum(words, 7) == (0x0001 + 0xf203 + 0xf4f5 + 0xf600) % 0xffff);
    CHECK(perigee_checksum_update(0x220d, 0xf203, 0xffff) == perigee_checksum(0x0001 + 0xffff + 0xf4f5 + 0xf6f7));
    CHECK(perigee_checksum_pseudo(words, words + 4, 4, 17, 0x10002) == 0xf204 + (0xf4f5 + 0xf6f7) % 0xffff + 17 + 3);
    CHECK(perigee_load_be16(words + 2) == 0xf203 && perigee_load_be32(words) == 0x0001f203);
    CHECK(perigee_load_be64(words) == 0x0001f203f4f5f6f7 && perigee_load_le16(words + 2) == 0x03f2);
    uint8_t frame[14] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    perigee_swap_macs(frame);
    CHECK(memcmp(frame, "\7\10\11\12\13\14\1\2\3\4\5\6\15\16", 14) == 0);
}

/* Words whose sums are near 0 and 0xffff, where one's complement has two zeros. */
static const uint16_t edges[] = {0, 1, 2, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffd, 0xfffe, 0xffff};
enum { EDGES = sizeof(edges) / sizeof(edges[0]) };

static int verifies(uint16_t one, uint16_t two, uint16_t checksum) {
    return perigee_checksum((uint64_t)one + two + checksum) == 0;
}

/* Whatever a word becomes, the checksum that follows it is right wherever a new one is: for data that is all 0 as well. */
static void test_updates(void) {
    for (int i = 0; i < EDGES * EDGES * EDGES; i++) {
        uint16_t before = edges[i % EDGES], after = edges[i / EDGES % EDGES], rest = edges[i / EDGES / EDGES];
        uint16_t old = perigee_checksum((uint64_t)before + rest);
        uint16_t changed = perigee_checksum_update(old, before, after);
        CHECK(verifies(before, rest, old) && verifies(after, rest, changed));
        CHECK(after == 0 || changed == perigee_checksum((uint64_t)after + rest));
    }
}

static void test_random(void) {
    /* The first number of splitmix64 from 0. */
    CHECK(perigee_seed_mix(0) == 0xe220a8397b1dcdaf);
    struct perigee_random one = perigee_random_start(0), two = one;
    uint64_t draw = perigee_random_next(&one);
    CHECK(draw == 0xe220a8397b1dcdafu * 6364136223846793005u + 1442695040888963407u);
    struct perigee_pair pair = perigee_random_pair(&two, 1ull << 32, 10);
    CHECK(pair.first == draw >> 32 && pair.second == (draw & 0xffffffff) * 10 >> 32);
    CHECK(perigee_random_below(&two, 1) == 0);
}

int main(void) {
    test_rooms();
    test_verdicts_and_requests();
    test_outputs();
    test_words();
    test_bytes();
    test_updates();
    test_random();
    return failures != 0;
}
