"""A server behind the balancer: tells its name by HTTP, and takes packets out of their tunnels, as the kernel's devices ipip, sit and
geneve would, which not every kernel has.

server.py NAME
"""
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

name = sys.argv[1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("content-length", 0))
        while length:
            length -= len(self.rfile.read(min(length, 65536)))
        body = name.encode() + b"\n"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 128


def tunnel_end():
    """A device that takes what comes out of tunnels."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    # IFF_TUN | IFF_NO_PI
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"out", 0x1001))
    subprocess.run(["ip", "link", "set", "out", "up", "mtu", "1500"], check=True)
    return device


def unwrap(receiver, device, inner):
    """Hands on what is in each packet that comes."""
    while True:
        packet = inner(receiver.recv(65536))
        try:
            os.write(device, packet)
        except OSError as error:
            print(f"{name}: {len(packet)} bytes from a tunnel: {error}", file=sys.stderr)


def behind_ip(packet):
    return packet[(packet[0] & 15) * 4:]


def behind_geneve(packet):
    # Version 0, no options, IPv4 or IPv6, network 7 (RFC 8926).
    assert packet[:2] == b"\0\0" and packet[2:4] in (b"\x08\x00", b"\x86\xdd") and packet[4:8] == b"\0\0\x07\0", packet[:8]
    return packet[8:]


device = tunnel_end()
for number in (4, 41):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, number)
    threading.Thread(target=unwrap, args=(raw, device, behind_ip), daemon=True).start()
geneve = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
geneve.bind(("0.0.0.0", 6081))
threading.Thread(target=unwrap, args=(geneve, device, behind_geneve), daemon=True).start()

servers = [Server(("::", port), Handler) for port in (80, 81, 82)]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
servers[0].serve_forever()
