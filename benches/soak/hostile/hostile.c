/* Mistakes that C lets one make, one by each configuration: its name is the configuration. What must become of each is in
 * languages.toml beside this. */
#include "../../../guest-sdk/c/perigee.h"

PERIGEE_MODULE(64 * PERIGEE_MIB, 4096, 4, 1)

typedef void abuse(uint32_t count);

static uint8_t buffer[16];
static volatile uint32_t zero;
static uint8_t *volatile last;

static void pass(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) perigee_next(&perigee.packets[i]);
}
static void buffer_overrun(uint32_t count) {
    pass(count);
    /* Past the buffer to the end of the memory, and one byte on. */
    volatile uint8_t *at = buffer;
    for (uint32_t i = 0;; i += 4096) at[i] = 0xff;
}
static void wild_pointer(uint32_t count) {
    pass(count);
    *(volatile uint32_t *)(uintptr_t)(zero - 16) = 1;
}
static void null_pointer(uint32_t count) {
    pass(count);
    *(volatile uint32_t *)(uintptr_t)(zero + 4) = 1;
}
static void wild_call(uint32_t count) {
    abuse *volatile function = (abuse *)(uintptr_t)(zero + 100000);
    function(count);
}
static int64_t other_type(int64_t a, int64_t b) { return a + b; }
static void call_of_other_type(uint32_t count) {
    int64_t (*volatile function)(int64_t, int64_t) = other_type;
    abuse *volatile wrong = (abuse *)(uintptr_t)function;
    wrong(count);
}
static uint32_t deeper(volatile uint8_t *above, uint32_t depth) {
    volatile uint8_t frame[1024];
    frame[depth & 1023] = above[0];
    if (zero) return 0; /* never, but the compiler does not know */
    return deeper(frame, depth + 1) + frame[7];
}
static void deep_recursion(uint32_t count) { zero = deeper(buffer, count); }
static void division(uint32_t count) { perigee.counters[0] = count / zero; }
static void endless_loop(uint32_t count) {
    while (!zero) perigee.counters[0] += count;
}
static void trap(uint32_t count) {
    (void)count;
    __builtin_trap();
}
static void length_underflow(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        perigee.packets[i].len = (uint16_t)(perigee.packets[i].len - 100);
        perigee_next(&perigee.packets[i]);
    }
}
static void off_by_one(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        perigee.packets[i].len = (uint16_t)(perigee_packet_capacity(&perigee.packets[i]) + 1);
        perigee_next(&perigee.packets[i]);
    }
}
static void trim_too_much(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        perigee.packets[i].addr += 4000;
        perigee_next(&perigee.packets[i]);
    }
}
static void double_put(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        perigee_list(&perigee.packets[i]);
        perigee_put(&perigee.packets[i], PERIGEE_NEXT);
        perigee_put(&perigee.packets[i], PERIGEE_NEXT);
    }
}
static void double_give_back(uint32_t count) {
    pass(count);
    struct perigee_held held = perigee_hold(&perigee.packets[0]);
    perigee_give_back(&held, PERIGEE_NEXT);
    perigee_give_back(&held, PERIGEE_NEXT);
}
static void hoard(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) perigee_hold(&perigee.packets[i]);
}
static void port_from_packet(uint32_t count) {
    /* The packet says where it goes: any number. */
    for (uint32_t i = 0; i < count; i++) perigee_tx(&perigee.packets[i], (uint16_t)(perigee_packet_bytes(&perigee.packets[i])[20] + 300u));
}
static void use_after_send(uint32_t count) {
    uint8_t *old = last;
    if (old) perigee_store_le64(old, ~0ull);
    last = perigee_packet_bytes(&perigee.packets[0]);
    pass(count);
}
static void log_flood(uint32_t count) {
    pass(count);
    for (uint32_t i = 0; i < 1000; i++) perigee_log(PERIGEE_WARN, "\x1b[2Jonce more\x07");
}
static void log_without_end(uint32_t count) {
    pass(count);
    /* A text that nothing ends: strlen walks to the end of the memory. */
    perigee_log(PERIGEE_INFO, (const char *)(uintptr_t)(zero - 1));
}

static const struct {
    const char *name;
    abuse *does;
} abuses[] = {
    {"buffer-overrun", buffer_overrun}, {"wild-pointer", wild_pointer}, {"null-pointer", null_pointer},
    {"wild-call", wild_call}, {"call-of-other-type", call_of_other_type}, {"deep-recursion", deep_recursion},
    {"division", division}, {"endless-loop", endless_loop}, {"trap", trap}, {"length-underflow", length_underflow},
    {"off-by-one", off_by_one}, {"trim-too-much", trim_too_much}, {"double-put", double_put},
    {"double-give-back", double_give_back}, {"hoard", hoard}, {"port-from-packet", port_from_packet},
    {"use-after-send", use_after_send}, {"log-flood", log_flood}, {"log-without-end", log_without_end},
};

static abuse *does = pass;

int32_t init(uint32_t len) {
    for (uint32_t i = 0; i < sizeof abuses / sizeof *abuses; i++) {
        if (strlen(abuses[i].name) == len && memcmp(abuses[i].name, perigee_mailbox, len) == 0) {
            does = abuses[i].does;
            return 0;
        }
    }
    return perigee_refuse("no such abuse");
}

void process(uint32_t count) {
    if (count) does(count);
}
