"""IPv4 packets as bytes, and what they are: enough for a trace through a translator."""
import socket
import struct

TCP, UDP, ICMP = 6, 17, 1


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source, destination, protocol, length):
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, protocol, length)


def ipv4(source, destination, protocol, payload, number, ttl=64, offset=0, more=False):
    flags = offset // 8 | (0x2000 if more else 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number, flags, ttl, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(a, b, number, data=b"some data", with_checksum=True, ttl=64):
    length = 8 + len(data)
    head = struct.pack("!HHHH", a[1], b[1], length, 0)
    value = checksum(pseudo(a[0], b[0], UDP, length) + head + data) or 0xFFFF
    head = head[:6] + struct.pack("!H", value if with_checksum else 0)
    return ipv4(a[0], b[0], UDP, head + data, number, ttl)


def tcp(a, b, number, flags="S", data=b""):
    bits = sum({"F": 1, "S": 2, "R": 4, "A": 16}[flag] for flag in flags)
    head = struct.pack("!HHIIBBHHH", a[1], b[1], 1000, 1000 if "A" in flags else 0, 0x50, bits, 8192, 0, 0)
    value = checksum(pseudo(a[0], b[0], TCP, 20 + len(data)) + head + data)
    return ipv4(a[0], b[0], TCP, head[:16] + struct.pack("!H", value) + head[18:] + data, number)


def icmp(source, destination, number, kind, code, rest):
    message = struct.pack("!BBH", kind, code, 0) + rest
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    return ipv4(source, destination, ICMP, message, number)


def echo(source, destination, identifier, number, kind=8):
    return icmp(source, destination, number, kind, 0, struct.pack("!HH", identifier, 1) + b"echo data")


def error(source, destination, number, about, quoted, kind=3, code=1):
    return icmp(source, destination, number, kind, code, bytes(4) + about[:quoted])


def fragments(packet, size=24):
    """The packet in pieces of so many bytes."""
    payload, number = packet[20:], struct.unpack_from("!H", packet, 4)[0]
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return [
        ipv4(source, destination, packet[9], payload[at : at + size], number, offset=at, more=at + size < len(payload))
        for at in range(0, len(payload), size)
    ]


def join(pieces):
    """The whole packet of its pieces; nothing where one is missing."""
    pieces = sorted(pieces, key=lambda piece: struct.unpack_from("!H", piece, 6)[0] & 0x1FFF)
    payload = b""
    for piece in pieces:
        flags = struct.unpack_from("!H", piece, 6)[0]
        if (flags & 0x1FFF) * 8 != len(payload):
            return None
        payload += piece[20:]
    if not pieces or flags & 0x2000:
        return None
    first = pieces[0]
    source, destination = socket.inet_ntoa(first[12:16]), socket.inet_ntoa(first[16:20])
    return ipv4(source, destination, first[9], payload, struct.unpack_from("!H", first, 4)[0])


def ends(packet):
    """Both ends; of a query of ICMP the identifier stands for both ports."""
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    if packet[9] == ICMP:
        identifier = struct.unpack_from("!H", packet, 24)[0]
        return (source, identifier), (destination, identifier)
    ports = struct.unpack_from("!HH", packet, 20)
    return (source, ports[0]), (destination, ports[1])


def is_error(packet):
    return packet[9] == ICMP and packet[20] in (3, 11, 12)


def is_right(packet):
    """Whether all checksums are: of a packet that is quoted, too, as far as it is there."""
    if checksum(packet[:20]):
        return False
    payload, length = packet[20:], struct.unpack_from("!H", packet, 2)[0] - 20
    if packet[9] == ICMP:
        quoted_is_right = not is_error(packet) or is_right(payload[8:]) if len(payload) >= length else True
        return quoted_is_right and (len(payload) < length or not checksum(payload[:length]))
    if packet[9] == UDP and payload[6:8] == b"\0\0" or len(payload) < length:
        return True
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return not checksum(pseudo(source, destination, packet[9], length) + payload[:length])
