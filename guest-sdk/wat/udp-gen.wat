;; Generator: UDP packets of 60 bytes whose source address and source port are random, from a prefilled template.
;; perigee gen guest-sdk/wat/udp-gen.wat --port net_null0 --duration 2s
;;
;; The packets are those of modules/udp-gen without a configuration, byte for byte.
(module
  (import "perigee" "counter" (func $name_counter (param $index i32) (param $text i32) (param $len i32)))

  ;; One page for the batch area (38,528 bytes at 0), texts, template and mailbox; then 64 MiB of window with 2 MiB to spare.
  (memory (export "memory") 1057)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0))
  (global (export "perigee_window") i32 (i32.const 0x10000))
  (global (export "perigee_window_len") i32 (i32.const 0x4200000))
  (global $mailbox (export "perigee_mailbox") i32 (i32.const 0xf000))
  (global (export "perigee_mailbox_len") i32 (i32.const 0x1000))
  (data $refusal "this module has no configuration: leave it out")
  (data (i32.const 0xa000) "packets" "bytes")

  ;; The packet that each room is filled with; what is not written here is 0.
  (global $template i32 (i32.const 0xa100))
  (data (i32.const 0xa100)
    "\02\00\00\00\00\02"   ;;  0 destination MAC address
    "\02\00\00\00\00\01"   ;;  6 source MAC address, where the port has none
    "\08\00"               ;; 12 EtherType: IPv4
    "\45\00\00\2e"         ;; 14 version 4, five words of header; total length 46
    "\00\00\00\00"         ;; 18 identification, fragment
    "\40\11\66\be"         ;; 22 time to live 64, UDP, header checksum for the first source
    "\0a\00\00\00"         ;; 26 first source address: 10.0.0.0
    "\0a\01\00\01"         ;; 30 destination address: 10.1.0.1
    "\80\00\00\09"         ;; 34 first source port: 32768; destination port: 9, "discard"
    "\00\1a\00\00")        ;; 38 UDP length 26; no checksum

  ;; State of the random numbers: Knuth's 64-bit linear congruential generator.
  (global $random (mut i64) (i64.const 0))

  ;; Names the counters, takes seed and MAC address from the batch area. Refuses a configuration that is neither nothing nor
  ;; "{}": a negative length, the text in the mailbox.
  (func (export "init") (param $len i32) (result i32)
    (call $name_counter (i32.const 0) (i32.const 0xa000) (i32.const 7))
    (call $name_counter (i32.const 1) (i32.const 0xa007) (i32.const 5))
    (if (i32.ne (local.get $len) (i32.const 0))
      (then
        (if (i32.or
              (i32.ne (local.get $len) (i32.const 2))
              (i32.ne (i32.load16_u (global.get $mailbox)) (i32.const 0x7d7b)))
          (then
            (memory.init $refusal (global.get $mailbox) (i32.const 0) (i32.const 46))
            (return (i32.const -46))))))
    ;; The seed is at 56 in the header.
    (global.set $random (call $mix (i64.load (i32.const 56))))
    (call $take_mac (i32.load (i32.const 92)))
    (i32.const 0))

  ;; Spreads the bits of a seed: the last step of splitmix64.
  (func $mix (param $seed i64) (result i64)
    (local.set $seed (i64.add (local.get $seed) (i64.const 0x9e3779b97f4a7c15)))
    (local.set $seed
      (i64.mul (i64.xor (local.get $seed) (i64.shr_u (local.get $seed) (i64.const 30))) (i64.const 0xbf58476d1ce4e5b9)))
    (local.set $seed
      (i64.mul (i64.xor (local.get $seed) (i64.shr_u (local.get $seed) (i64.const 27))) (i64.const 0x94d049bb133111eb)))
    (i64.xor (local.get $seed) (i64.shr_u (local.get $seed) (i64.const 31))))

  ;; Sends from the MAC address of the port that packets leave by (at 92 in the header), where there is one and it has one.
  (func $take_mac (param $port i32)
    (local $mac i32)
    (if (i32.ge_u (local.get $port) (i32.load (i32.const 80))) (then (return)))
    ;; The ports begin at 128 in the batch area, 32 bytes each; the MAC address is the first six of them.
    (local.set $mac (i32.add (i32.const 128) (i32.shl (local.get $port) (i32.const 5))))
    (if (i32.eqz (i32.or (i32.load (local.get $mac)) (i32.load16_u offset=4 (local.get $mac)))) (then (return)))
    (memory.copy (i32.add (global.get $template) (i32.const 6)) (local.get $mac) (i32.const 6)))

  ;; Writes the template into each room, and its length into the descriptor.
  (func (export "prefill") (param $count i32)
    (local $desc i32) (local $end i32)
    (local.set $desc (i32.const 1664))
    (local.set $end (i32.add (local.get $desc) (i32.shl (local.get $count) (i32.const 6))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $desc) (local.get $end)))
        (i32.store16 offset=4 (local.get $desc) (i32.const 60))
        (memory.copy (i32.load (local.get $desc)) (global.get $template) (i32.const 60))
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (br $next))))

  ;; Changes source address, source port and header checksum of each packet, and passes it on.
  (func (export "generate") (param $count i32)
    (local $desc i32) (local $end i32) (local $packet i32) (local $random i64) (local $source i32) (local $sum i32)
    (local.set $random (global.get $random))
    (local.set $desc (i32.const 1664))
    (local.set $end (i32.add (local.get $desc) (i32.shl (local.get $count) (i32.const 6))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $desc) (local.get $end)))
        (local.set $packet (i32.load (local.get $desc)))
        (local.set $random
          (i64.add (i64.mul (local.get $random) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
        ;; Numbers are in the byte order of the packet here, which the Internet checksum does not mind. The address is
        ;; 10.0.0.x: x from the upper bits of the draw.
        (local.set $source
          (i32.or (i32.and (i32.wrap_i64 (i64.shr_u (local.get $random) (i64.const 32))) (i32.const 0xff000000))
            (i32.const 0x0000000a)))
        (i32.store offset=26 align=1 (local.get $packet) (local.get $source))
        ;; The port is 32,768 or more: fifteen random bits.
        (i32.store16 offset=34 align=1 (local.get $packet)
          (i32.or (i32.and (i32.wrap_i64 (i64.shr_u (local.get $random) (i64.const 16))) (i32.const 0xff7f))
            (i32.const 0x0080)))
        ;; 0x8f41, swapped, is the sum of the rest of the IPv4 header. Two folds make 16 bits of the sum.
        (local.set $sum
          (i32.add (i32.const 0x418f)
            (i32.add (i32.shr_u (local.get $source) (i32.const 16)) (i32.and (local.get $source) (i32.const 0xffff)))))
        (local.set $sum
          (i32.add (i32.and (local.get $sum) (i32.const 0xffff)) (i32.shr_u (local.get $sum) (i32.const 16))))
        (local.set $sum
          (i32.add (i32.and (local.get $sum) (i32.const 0xffff)) (i32.shr_u (local.get $sum) (i32.const 16))))
        (i32.store16 offset=24 align=1 (local.get $packet) (i32.xor (local.get $sum) (i32.const 0xffff)))
        ;; Length 60, verdict 1: pass it on.
        (i32.store16 offset=4 (local.get $desc) (i32.const 60))
        (i32.store offset=8 (local.get $desc) (i32.const 1))
        (local.set $desc (i32.add (local.get $desc) (i32.const 64)))
        (br $next)))
    (global.set $random (local.get $random))
    ;; The counters begin at 1,152 in the batch area, 8 bytes each: packets, bytes.
    (i64.store (i32.const 1152)
      (i64.add (i64.load (i32.const 1152)) (i64.extend_i32_u (local.get $count))))
    (i64.store (i32.const 1160)
      (i64.add (i64.load (i32.const 1160)) (i64.mul (i64.extend_i32_u (local.get $count)) (i64.const 60))))))
