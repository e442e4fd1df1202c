"""virtio with several queues, joined to the kernel's by TAP interfaces and a bridge of the host's; with them the card has offloads."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

C = CARDS["c"]


def work():
    C.bind("uio_pci_generic")
    kernel_interface(driver="virtio_net")
    text = sh(PERIGEE, "ports", "--json", "-")[1]
    try:
        seen = json.loads(text[text.index("{"):])["ports"][0]
        check("ports", seen["max_rx_queues"] == 4, f"{seen['max_rx_queues']}+{seen['max_tx_queues']} queues, rx {seen['rx_offloads']}, tx {seen['tx_offloads']}")
    except (ValueError, IndexError, KeyError):
        check("ports", False, text)
    config = (port("c", C, "rx_queues = 2") + module("answer", "responder", 'addresses = ["10.0.0.2"]', 'tx = ["c"]')
              + chain('port = "c"', "answer", "c", "lcores = [0, 1]")
              + generator("gen", "c", f'dst_mac = "{KERNEL.mac}", src = "10.0.0.8", src_count = 8, dst = "10.0.0.1", size = 1000, '
                          'checksum = "offload", udp_checksum = true', rate=300))
    run = Run("queues", config)
    if not started("run", run):
        return
    sent, answered = ping("10.0.0.2", 2000, 1400, 60)
    bad = run.counter("answer", "bad_checksum")
    check("ping", sent == answered > 0 and bad == 0, f"{answered} of {sent} with 1,400 bytes, wrong checksums {bad}")
    # The host's TAP picks a queue by flow, so there must be many.
    for number in range(400):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("", 20_000 + number % 64))
            sender.sendto(b"x" * 100, ("10.0.0.2", 1_000 + number % 8))
    before = snmp("UdpInCsumErrors")
    got = wait(lambda: snmp("UdpNoPorts") >= 300, 40)
    wrong = snmp("UdpInCsumErrors") - before
    check("tx-checksums", got and wrong == 0, f"the kernel took {snmp('UdpNoPorts')} datagrams, found {wrong} wrong")
    summary = clean_end("stop", run)
    shares = [c["received"] for c in summary.get("chains", []) if c["name"] == "chain0"]
    check("queues", len(shares) == 2 and min(shares) >= 40, f"two queues read, packets by queue: {shares}")


job(work)
