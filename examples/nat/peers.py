"""What stands around the translator: a server that says who has called, a collector of IPFIX, and who judges the run.

peers.py serve PORT | collect PORT | judge FOLDER | halves FILE
"""
import http.server
import json
import socket
import struct
import sys


class Caller(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = "%s:%d" % self.client_address
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def serve(port):
    http.server.ThreadingHTTPServer(("", int(port)), Caller).serve_forever()


def collect(port):
    """Prints each record of a mapping: event, endpoint inside, endpoint outside, protocol (RFC 8158, section 5.6)."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("", int(port)))
    while True:
        message = listener.recv(2048)
        version, length = struct.unpack_from("!HH", message)
        assert version == 10 and length == len(message)
        at = 16
        while at < length:
            number, size = struct.unpack_from("!HH", message, at)
            if number == 256:
                for record in struct.iter_unpack("!QB4s4sBHH", message[at + 4 : at + size]):
                    _, event, inside, outside, protocol, port_inside, port_outside = record
                    ends = f"{socket.inet_ntoa(inside)}:{port_inside} {socket.inet_ntoa(outside)}:{port_outside}"
                    print(event, ends, protocol, flush=True)
            at += size


def halves(file):
    """Of lcores.toml: whatever came to the server and found room has come back, through the translator that had sent it out."""
    summary = json.load(open(file))
    counters = [(module["name"], module["counters"]) for module in summary["modules"]]

    def total(what, start):
        return sum(values.get(what, 0) for name, values in counters if name.startswith(start))

    full = sum(chain["dropped"].get("ring_full", 0) for chain in summary["chains"])
    out, back, steered = total("outbound", "nat-"), total("inbound", "nat-"), total("steered", "steer")
    lost = {name: values for _, values in counters for name in values if name.startswith("drop.") and values[name]}
    is_right = min(values.get("inbound", 0) for name, values in counters if name.startswith("nat-")) > 0
    is_right = is_right and not lost and out + back == steered - full and summary["accounting"]["balanced"]
    print(f"{'two translators: sent out, came back':<46} {out} {back}{'' if is_right else '   WRONG'}")
    sys.exit(not is_right)


def judge(folder):
    """The swap, the log and the accounting."""
    good = True

    def row(what, value, is_right):
        nonlocal good
        good &= is_right
        print(f"{what:<46} {value}{'' if is_right else '   WRONG'}")

    iperf, swap = (json.load(open(f"{folder}/{name}")) for name in ["iperf", "swap"])
    seconds = [interval["sum"]["bits_per_second"] / 1e6 for interval in iperf["intervals"]]
    row("iperf3 over a swap, Mbit/s in each second", " ".join(f"{rate:.0f}" for rate in seconds), max(seconds[2:]) > 0)
    row("longest pause of the swap", f"{swap['max_pause_ns'] / 1e3:.0f} us", True)
    row("packets lost by the swap", swap["lost"], swap["lost"] == 0)
    summary = json.load(open(f"{folder}/box.json"))
    row("accounting", "balanced" if summary["accounting"]["balanced"] else "not balanced", summary["accounting"]["balanced"])
    begun = [line.split() for line in open(f"{folder}/records") if line.startswith("8 ")]
    inside, outside = {words[1].split(":")[0] for words in begun}, {words[2].split(":")[0] for words in begun}
    right = inside == {"10.77.0.2", "10.77.0.3"} and outside == {"198.51.100.2"}
    row("mappings that the collector was told of", len(begun), right and len(begun) > 5)
    sys.exit(not good)


if __name__ == "__main__":
    {"serve": serve, "collect": collect, "judge": judge, "halves": halves}[sys.argv[1]](*sys.argv[2:])
