-- The loops of the benchmark as a script for MoonGen has them: FFI structs over the packets' bytes, setters that are methods, an array
-- of packets that is refilled, random numbers by math.random, and C for a whole burst of taking and sending. Written for this
-- benchmark by the way MoonGen works; none of its code is in here.
local ffi = require "ffi"
local bit = require "bit"

ffi.cdef [[
struct mbuf {
	uint8_t *buf_addr; uint64_t iova; uint16_t data_off, refcnt, segments, port; uint64_t flags; uint32_t type, pkt_len; uint16_t data_len;
};
union mac { uint8_t bytes[6]; uint64_t word[0]; };
struct ethernet { union mac dst; union mac src; uint16_t type; };
struct ip { uint8_t verihl, tos; uint16_t len, id, frag; uint8_t ttl, protocol; uint16_t checksum; uint32_t src, dst; };
struct udp { uint16_t src, dst, len, checksum; };
struct __attribute__((packed)) ether_packet { uint8_t dst[6]; uint8_t src[6]; uint16_t type; };
struct __attribute__((packed)) udp_packet {
	uint8_t dst_mac[6], src_mac[6]; uint16_t type;
	struct __attribute__((packed)) { uint8_t verihl, tos; uint16_t len, id, frag; uint8_t ttl, protocol; uint16_t checksum; uint32_t src, dst; } ip;
	struct __attribute__((packed)) { uint16_t src, dst, len, checksum; } udp;
	uint32_t payload[4];
};
]]

local bswap, rshift, lshift, band, bor, bnot = bit.bswap, bit.rshift, bit.lshift, bit.band, bit.bor, bit.bnot
local random = math.random

local function hton16(n)
	return rshift(bswap(n), 16)
end

-- A packet has methods.
local mbuf = {}
mbuf.__index = mbuf
local udp_type, word_type, half_type =
	ffi.typeof "struct udp_packet *", ffi.typeof "uint64_t *", ffi.typeof "uint16_t *"

function mbuf:data()
	return self.buf_addr + self.data_off
end
function mbuf:udp()
	return ffi.cast(udp_type, self:data())
end
ffi.metatype("struct mbuf", mbuf)

-- MAC addresses are numbers of 48 bits, as in setters and getters over the first eight bytes.
local LOW = 0xffffffffffffULL
local function get_mac(at)
	return band(ffi.cast(word_type, at)[0], LOW)
end
local function set_mac(at, mac)
	local place = ffi.cast(word_type, at)
	place[0] = bor(band(place[0], bnot(LOW)), mac)
end

-- The Internet checksum over a header, word by word.
local function checksum(at, len)
	local words = ffi.cast(half_type, at)
	local sum = 0
	for i = 0, len / 2 - 1 do
		sum = sum + words[i]
	end
	sum = band(sum, 0xffff) + rshift(sum, 16)
	sum = sum + rshift(sum, 16)
	return band(bnot(sum), 0xffff)
end

local alloc, receive, send
local bufs, burst = ffi.new "struct mbuf *[256]", 64

-- Addresses of the functions in C.
function setup(alloc_at, receive_at, send_at)
	alloc = ffi.cast("uint32_t (*)(void *, struct mbuf **, uint32_t, uint32_t)", alloc_at)
	receive = ffi.cast("uint32_t (*)(uint32_t, struct mbuf **, uint32_t)", receive_at)
	send = ffi.cast("void (*)(uint32_t, struct mbuf **, uint32_t)", send_at)
end

local each = {}

each["template"] = function(buf) end

each["two-fields"] = function(buf)
	local pkt = buf:udp()
	pkt.ip.src = bswap(0x0a000000 + random(0, 255))
	pkt.udp.src = hton16(32768 + random(0, 32767))
end

each["two-fields+ip"] = function(buf)
	local pkt = buf:udp()
	pkt.ip.src = bswap(0x0a000000 + random(0, 255))
	pkt.udp.src = hton16(32768 + random(0, 32767))
	pkt.ip.checksum = 0
	pkt.ip.checksum = checksum(pkt.ip, 20)
end

each["eight-draws"] = function(buf)
	local pkt = buf:udp()
	pkt.ip.src = bswap(0x0a000000 + random(0, 255))
	pkt.ip.dst = bswap(0x0a010000 + random(0, 255))
	pkt.udp.src = hton16(random(0, 65535))
	pkt.udp.dst = hton16(random(0, 65535))
	pkt.payload[0] = random(0, 0x7fffffff)
	pkt.payload[1] = random(0, 0x7fffffff)
	pkt.payload[2] = random(0, 0x7fffffff)
	pkt.payload[3] = random(0, 0x7fffffff)
end

each["mac-swap"] = function(buf)
	local data = buf:data()
	local dst = get_mac(data)
	set_mac(data, get_mac(data + 6))
	set_mac(data + 6, dst)
end

-- A loop for each work, as each script has its own: code that is shared would be one trace for all.
local source = [[
local work, take, bufs, burst, send = ...
return function(pool, port, bursts)
	local packets = 0
	for _ = 1, bursts do
		local n = take(pool, port)
		for i = 0, n - 1 do
			work(bufs[i])
		end
		send(port, bufs, n)
		packets = packets + n
	end
	return packets
end
]]
local loops = {}

function run(name, pool, port, bursts, len)
	local loop = loops[name]
	if not loop then
		local take
		if name == "mac-swap" then
			take = function(_, port) return receive(port, bufs, burst) end
		else
			take = function(pool, _) return alloc(pool, bufs, burst, len) end
		end
		loop = assert(loadstring(source))(each[name], take, bufs, burst, send)
		loops[name] = loop
	end
	return loop(ffi.cast("void *", pool), port, bursts)
end
