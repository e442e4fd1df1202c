/* Tests of module.c, which run natively. test.sh runs the cases of cases.toml on the WebAssembly as well. */
#include "module.c"
#include "test-host.h"

static void test_init(void) {
    start_batch(0, 0);
    CHECK(init(0) == 0 && named == 3);
    memcpy(perigee_mailbox, "{\"a\":1}", 7);
    CHECK(is_refusal(init(7), "@NAME@ has nothing to configure: leave `config` out"));
}

static void test_packets(void) {
    uint32_t different = 0;
    start_batch(64, 0);
    CHECK(init(0) == 0);
    prefill(64);
    generate(64);
    for (uint32_t i = 0; i < 64; i++) {
        const uint8_t *made = perigee_packet_bytes(&perigee.packets[i]);
        CHECK(perigee.packets[i].verdict == PERIGEE_NEXT && perigee.packets[i].len == SIZE);
        CHECK(made[11] == 1 && perigee_load_be16(made + IP + 2) == 46 && perigee_load_be16(made + UDP + 4) == 26);
        CHECK(perigee_checksum(perigee_checksum_sum(made + IP, 20)) == 0);
        CHECK(perigee_load_be16(made + UDP) >= 0x8000 && perigee_load_be16(made + UDP + 2) == 9);
        different += i > 0 && perigee_load_be16(made + UDP) != perigee_load_be16(made + UDP - 2176);
    }
    CHECK(different > 50);
    CHECK(perigee.counters[PACKETS] == 64 && perigee.counters[BYTES] == 64 * SIZE);
}

static void test_ports(void) {
    static const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
    start_batch(0, 0);
    perigee.header.port_count = 1;
    perigee.header.next_port = 0;
    memcpy(perigee.ports[0].mac, mac, 6);
    CHECK(init(0) == 0 && memcmp(frame + 6, mac, 6) == 0);
}

static void test_small_rooms(void) {
    start_batch(1, 0);
    perigee.header.room_len = SIZE - 1;
    prefill(1);
    generate(1);
    CHECK(perigee.packets[0].verdict == PERIGEE_DROP && perigee.packets[0].len == 0);
}

int main(void) {
    test_init();
    test_packets();
    test_ports();
    test_small_rooms();
    if (!failures) puts("test.c: all passed");
    return failures != 0;
}
