"""One driver with everything that Perigee does on a card: A and B on a wire of their own, C on one with the kernel's card."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

A, B, C = (CARDS[name] for name in "abc")
BIND = "uio_pci_generic"
OTHER_MAC = "02:00:00:00:00:99"
ME = "10.0.0.1"
LISTENING = {}
# Python has no name for it (asm-generic/socket.h).
SO_RCVBUFFORCE = 33


def seen_by_doctor():
    code, text = sh(PERIGEE, "doctor", "--json", "-")
    if code != 0 or not text.startswith("["):
        return check("doctor", False, f"exit code {code}: {text}")
    findings = json.loads(text)
    for card in (A, B, C):
        found = next((f for f in findings if f["name"] == f"card {card.address}"), {"state": "missing", "found": ""})
        if found["state"] != "ok":
            return check("doctor", False, f"{card.address}: {found}")
    return check("doctor", True, found["found"])


def seen_by_ports():
    code, text = sh(PERIGEE, "ports", "--json", "-")
    try:
        ports = {port["device"]: port for port in json.loads(text[text.index("{"):])["ports"]}
    except (ValueError, KeyError):
        check("ports", False, f"exit code {code}: {text}")
        return {}
    wrong = [card.address for card in (A, B, C) if ports.get(card.address, {}).get("mac") != card.mac]
    port = ports.get(C.address, {})
    is_right = not wrong and port["driver"] == C.driver
    check("ports", is_right, f"{port.get('driver')}, MAC addresses wrong: {wrong or 'none'}, queues {port.get('max_rx_queues')}"
          f"+{port.get('max_tx_queues')}, rx {port.get('rx_offloads')}, tx {port.get('tx_offloads')}, RSS {port.get('rss')}")
    stamps = port.get("rx_timestamps")
    (ok if stamps else cannot)("rx-timestamps", "by the driver" if stamps else "DPDK's driver offers none")
    return port


def wire_config(rx_queues):
    """A generator on A, and a counter on B that reads so many queues."""
    queues, lcores = (f"rx_queues = {rx_queues}", "lcores = [0, 1]") if rx_queues > 1 else ("", "")
    return (port("a", A) + port("b", B, queues) + generator("gen", "a", f'dst_mac = "{B.mac}", size = 60')
            + module("counter", "counter", 'then = "drop"') + chain('port = "b"', "counter", more=lcores))


def frame(destination, kind=0x88B5, length=60):
    """Sends a frame of the local experimental type from the kernel's end."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("k0", 0))
        head = bytes.fromhex(destination.replace(":", "")) + bytes.fromhex(KERNEL.mac.replace(":", ""))
        sender.send((head + kind.to_bytes(2, "big")).ljust(length, b"\0"))


def first_run():
    """As a new user would have it, but for the swap, the plug and the kill."""
    run = Run("first", wire_config(1) + port("c", C) + responder("answer", "c", "10.0.0.2"))
    if not started("run", run):
        return
    up = wait(lambda: all(run.port(name).get("link_up") for name in "abc"))
    check("link", up, f"{run.port('c').get('speed_mbps')} Mbit/s")
    sent, answered = ping("10.0.0.2", 300, 1400)
    bad = run.counter("answer", "bad_checksum")
    check("ping", sent == answered >= 300 and bad == 0, f"{answered} of {sent} with 1,400 bytes, wrong checksums {bad}")
    before = run.counter("answer", "other")
    for _ in range(10):
        frame(OTHER_MAC)
    got = wait(lambda: run.counter("answer", "other") - before >= 10, 20)
    check("promiscuous-on", got, f"{run.counter('answer', 'other') - before} of 10 frames to another station come in")
    swapped = run.ctl("swap", "counter", f"{MODULES}/counter.wasm")
    check("swap", swapped.get("lost") == 0 and swapped.get("rolled_back") is None,
          f"lost {swapped.get('lost')}, pause {swapped.get('max_pause_ns')} ns {swapped.get('error', '')}")
    C.set_link(False)
    down = wait(lambda: run.port("c").get("link_up") is False, 20)
    # The host looks at such links once a second, and tells what it has seen.
    told = wait(lambda: "link down" in run.log(), 10)
    C.set_link(True)
    up = wait(lambda: run.port("c").get("link_up"), 30)
    back = wait(lambda: ping("10.0.0.2", 3, 56, 5)[1] == 3, 40)
    told = told and wait(lambda: "link up" in run.log(), 10)
    check("link-off-on", down and up and back and told, f"seen down {bool(down)}, up {bool(up)}, traffic back {bool(back)}, told in the log {bool(told)}")
    run.kill()
    check("kill", True, "by SIGKILL, with packets on their way")


def to_kernel(size, more=""):
    """udp-gen's configuration for datagrams to the kernel's end."""
    return (f'dst_mac = "{KERNEL.mac}", src = "10.0.0.8", src_count = 8, dst = "{ME}", size = {size}, udp_checksum = true'
            + (f", {more}" if more else ""))


def tagged_pings():
    load("8021q")
    must("ip", "link", "add", "link", "k0", "name", "k0.7", "type", "vlan", "id", "7")
    must("ip", "addr", "add", "10.0.7.1/24", "dev", "k0.7")
    must("ip", "link", "set", "k0.7", "up")
    must("ip", "neigh", "replace", "10.0.7.2", "lladdr", C.mac, "dev", "k0.7")
    return ping("10.0.7.2", 20, 1400, 20)


def listen(at):
    """A program's end of the kernel's: without one the kernel would answer each datagram, and ask who had sent it."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 21)
    receiver.bind((ME, at))
    return receiver


def received_by_kernel(receiver, seconds, wanted):
    """How many datagrams come from now on, until there are so many; and those that the kernel finds wrong."""
    receiver.settimeout(0)
    try:
        while receiver.recv(9000):
            pass
    except BlockingIOError:
        pass
    receiver.settimeout(1)
    before = snmp("UdpInCsumErrors") + snmp("IpInHdrErrors")
    got, end = 0, time.monotonic() + seconds
    while got < wanted and time.monotonic() < end:
        try:
            receiver.recv(9000)
            got += 1
        except TimeoutError:
            pass
    return got, snmp("UdpInCsumErrors") + snmp("IpInHdrErrors") - before


def second_run(queues, senders):
    """After the kill: VLAN tags, a MAC filter, checksums by the port, frames that are too long, and two lcores that send to C; A to
    B with two queues where the driver spreads."""
    run = Run("second", wire_config(queues) + port("c", C, "vlan_strip = true\npromiscuous = false")
              + module("answer", "responder", 'addresses = ["10.0.0.2", "10.0.7.2"]', 'tx = ["c"]')
              + chain('port = "c"', "answer", "c", "lcores = [0]")
              + generator("sums", "c", to_kernel(1000, 'checksum = "offload"'), rate=300, more="lcores = [0]")
              + generator("other", "c", to_kernel(200, "dst_port = 10"), rate=100, more=f"lcores = [{senders - 1}]"))
    if not started("run-after-kill", run):
        return
    wait(lambda: run.port("c").get("link_up"))
    sent, answered = tagged_pings()
    bad = run.counter("answer", "bad_checksum")
    check("vlan", sent == answered >= 20 and bad == 0, f"strip on rx, tag on tx: {answered} of {sent} tagged pings, wrong checksums {bad}")
    got, wrong = received_by_kernel(LISTENING[9], 25, 1000)
    check("tx-checksums", got >= 1000 and wrong == 0, f"the kernel took {got} datagrams of 1,000, found {wrong} wrong")
    if senders == 1:
        cannot("two-senders", "the card has one tx queue")
    else:
        got, wrong = received_by_kernel(LISTENING[10], 15, 200)
        check("two-senders", got >= 200 and wrong == 0, f"two lcores send to one port: {got} of 200 datagrams of the second come")
    without_filter_or_length(run)
    summary = clean_end("stop", run)
    byte_counts(summary)
    a_to_b(summary, queues)


def without_filter_or_length(run):
    """Frames to others, and frames that are longer than the port's MTU."""
    before = run.counter("answer", "other")
    for _ in range(10):
        frame(OTHER_MAC)
    ping("10.0.0.2", 3, 56, 10)
    got = run.counter("answer", "other") - before
    check("promiscuous-off", got == 0, f"{got} of 10 frames to another station come in")
    must("ip", "link", "set", "k0", "mtu", "9000")
    for _ in range(20):
        frame(C.mac, length=4000)
    sent, answered = ping("10.0.0.2", 20, 1400, 20)
    malformed = run.counter("answer", "malformed")
    check("too-long", answered == sent >= 20 and malformed == 0, f"after frames of 4,000 bytes at an MTU of 1,500: {answered} of {sent} pings")


def byte_counts(summary):
    """Whether a port's bytes are those of its frames without frame check sequence, as everywhere else."""
    sent = port_of(summary, "a")
    more = sent.get("tx_bytes", 0) - 60 * sent.get("tx_packets", 0)
    means = json.dumps(sent.get("means", {}))
    check("byte-counts", more == 0 or "FCS" in means or "frame check" in means,
          f"{sent.get('tx_packets')} frames of 60 bytes are {sent.get('tx_bytes')} bytes")


def a_to_b(summary, queues):
    """What was sent has come, on each queue its share."""
    a, b = port_of(summary, "a"), port_of(summary, "b")
    sent, received, missed = a.get("tx_packets", 0), b.get("rx_packets", 0), b.get("rx_missed", 0)
    # At the stop some were on their way.
    check("a-to-b", sent > 1000 and 0 <= sent - received - missed <= 64, f"sent {sent}, received {received}, missed {missed}")
    shares = [c["received"] for c in summary.get("chains", []) if c["name"] == "chain1"]
    if queues == 1:
        cannot("rss", "the driver has no RSS, or one queue")
    elif B.driver == "net_vmxnet3":
        cannot("rss", f"QEMU's card lays everything into its first queue: {shares}")
    else:
        check("rss", len(shares) == 2 and min(shares) > sum(shares) / 10, f"packets by queue: {shares}")


def third_run():
    """Jumbo frames."""
    run = Run("third", port("c", C, "mtu = 9000") + responder("answer", "c", "10.0.0.2"))
    if not started("run-mtu-9000", run):
        return
    wait(lambda: run.port("c").get("link_up"))
    sent, answered = ping("10.0.0.2", 50, 8900, 40)
    bad = run.counter("answer", "bad_checksum")
    check("mtu-9000", sent == answered >= 50 and bad == 0, f"{answered} of {sent} pings of 8,900 bytes, wrong checksums {bad}")
    clean_end("stop-mtu-9000", run)


def short_forms():
    """`perigee gen` on A, and `perigee forward` from B to C."""
    grants = ["--grant", 'deadline="5s"', "--grant", 'control_deadline="20s"']
    forward = Run("forward", arguments=["forward", f"{MODULES}/l2-forward.wasm", "--port", B.address, "--port", C.address, *grants])
    if not started("forward", forward):
        return
    gen = Run("gen", arguments=[
        "gen", f"{MODULES}/udp-gen.wasm", "--port", A.address, *grants, "--grant", "packets_per_second=300", "--config",
        f"{{ {to_kernel(60)} }}"])
    if started("gen", gen):
        got, wrong = received_by_kernel(LISTENING[9], 40, 500)
        check("gen-forward", got >= 500 and wrong == 0, f"{got} of 500 datagrams from A over B to C and the kernel, {wrong} wrong")
        clean_end("gen-end", gen)
    clean_end("forward-end", forward)


def work():
    for card in (A, B, C):
        card.bind(BIND)
    kernel_interface(f"{ME}/24")
    LISTENING.update({at: listen(at) for at in (9, 10)})
    seen_by_doctor()
    seen = seen_by_ports()
    first_run()
    second_run(2 if seen.get("rss") and seen.get("max_rx_queues", 1) > 1 else 1, min(2, seen.get("max_tx_queues", 1)))
    third_run()
    short_forms()


job(work)
