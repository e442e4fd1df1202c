"""Where a packet lies and where the card thinks that it lies: all cards on one wire, each answers pings of 1,400 bytes. With huge
pages in an order in which no two that follow each other are neighbours, with and without an IOMMU."""

import mmap
import os
import random
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

SETTINGS = JOB["settings"]
PINGS = 10_000
# For each card: what an emulated CPU does not get done in this time is left out, and the number is printed.
SECONDS = JOB["ping_seconds"]


def shuffle_pages():
    """Takes all huge pages one by one and gives them back in another order: what a machine looks like after some use."""
    size = 2 << 20
    pages = []
    for _ in range(JOB["huge_pages"]):
        page = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
        page[0] = 1
        pages.append(page)
    random.Random(1).shuffle(pages)
    for page in pages:
        page.close()


def work():
    cards = list(CARDS.values())
    for card in cards:
        card.bind(SETTINGS["bind"])
    kernel_interface()
    if "shuffle" in SETTINGS:
        shuffle_pages()
    head = f'eal_args = ["--iova-mode={SETTINGS["mode"]}"]' if "mode" in SETTINGS else ""
    config = "".join(port(card.id, card, "rx_descriptors = 512\ntx_descriptors = 512") for card in cards)
    config += "".join(responder(f"answer-{card.id}", card.id, f"10.0.0.{10 + n}") for n, card in enumerate(cards))
    run = Run("pings", config, head)
    if not started("run", run):
        return
    wait(lambda: all(run.port(card.id).get("link_up") for card in cards))
    for n, card in enumerate(cards):
        sent, answered = ping(f"10.0.0.{10 + n}", PINGS, 1400, SECONDS)
        bad = run.counter(f"answer-{card.id}", "bad_checksum")
        check(f"{card.id}", sent > 0 and sent == answered and bad == 0 and run.is_alive(),
              f"{card.driver}: {answered} of {sent} pings of 1,400 bytes ({PINGS} wanted), wrong checksums {bad}")
    clean_end("stop", run)
    if SETTINGS["bind"] == "vfio-pci":
        # QEMU's vmxnet3 reads at 0 when it is started, before it was told where its driver's memory is.
        at_zero = [f"[{card.address.removeprefix('0000:')}] fault addr 0x0 " for card in cards if card.id == "vmxnet3"]
        faults = [line for line in dmar_faults() if not any(known in line for known in at_zero)]
        check("iommu-faults", not faults, f"{len(faults)} accesses refused by the IOMMU: {faults[:3]}")


job(work)
