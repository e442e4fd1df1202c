/* Tests of module.c, which run natively. test.sh runs the cases of cases.toml on the WebAssembly as well. */
#include "module.c"
#include "test-host.h"

/* 10.0.0.1 to 10.1.0.1, behind Ethernet. */
static void write_ipv4(uint8_t *frame, uint8_t ttl) {
    static const uint8_t ip[20] = {0x45, 0, 0, 46, 0, 0, 0, 0, 0, 17, 0, 0, 10, 0, 0, 1, 10, 1, 0, 1};
    perigee_store_be16(frame + TYPE, 0x0800);
    memcpy(frame + IP, ip, 20);
    frame[TTL] = ttl;
    perigee_store_be16(frame + CHECKSUM, perigee_checksum(perigee_checksum_sum(frame + IP, 20)));
}

static void test_init(void) {
    CHECK(init(0) == 0 && named == 0xf);
    memcpy(perigee_mailbox, "{}", 2);
    CHECK(init(2) == 0);
    memcpy(perigee_mailbox, "{\"a\":1}", 7);
    CHECK(is_refusal(init(7), "@NAME@ has nothing to configure: leave `config` out"));
}

static void test_hops(void) {
    start_batch(3, 60);
    uint8_t *frames[3];
    for (int i = 0; i < 3; i++) frames[i] = perigee_packet_bytes(&perigee.packets[i]);
    write_ipv4(frames[0], 64);
    write_ipv4(frames[1], 1);
    /* The third is no IPv4. */
    process(3);
    CHECK(perigee.packets[0].verdict == PERIGEE_NEXT && frames[0][TTL] == 63);
    CHECK(perigee_checksum(perigee_checksum_sum(frames[0] + IP, 20)) == 0);
    CHECK(perigee.packets[1].verdict == PERIGEE_DROP);
    CHECK(perigee.packets[2].verdict == PERIGEE_NEXT && frames[2][TTL] == 0);
    CHECK(perigee.counters[PACKETS] == 3 && perigee.counters[BYTES] == 180);
    CHECK(perigee.counters[FORWARDED] == 1 && perigee.counters[EXPIRED] == 1);
}

static void test_all_times_to_live(void) {
    for (int ttl = 2; ttl < 256; ttl++) {
        start_batch(1, 60);
        uint8_t *frame = perigee_packet_bytes(&perigee.packets[0]);
        write_ipv4(frame, (uint8_t)ttl);
        process(1);
        CHECK(frame[TTL] == ttl - 1 && perigee_checksum(perigee_checksum_sum(frame + IP, 20)) == 0);
    }
}

static void test_short_packets(void) {
    /* The last byte of the header is missing, whatever lies behind the packet. */
    start_batch(1, 60);
    write_ipv4(perigee_packet_bytes(&perigee.packets[0]), 64);
    perigee.packets[0].len = END - 1;
    process(1);
    CHECK(perigee.packets[0].verdict == PERIGEE_NEXT && perigee_packet_bytes(&perigee.packets[0])[TTL] == 64);
}

int main(void) {
    test_init();
    test_hops();
    test_all_times_to_live();
    test_short_packets();
    if (!failures) puts("test.c: all passed");
    return failures != 0;
}
