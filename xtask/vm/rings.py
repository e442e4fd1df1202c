"""A generator whose rooms are fewer than what the card keeps: net_e1000_em gives sent rooms back only when its ring is nearly full."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

A, B = CARDS["a"], CARDS["b"]


def try_one(name, more, pool):
    config = (port("a", A, more) + port("b", B) + module("counter", "counter", 'then = "drop"') + chain('port = "b"', "counter")
              + generator("gen", "a", f'dst_mac = "{B.mac}"', pool=pool))
    run = Run(name, config)
    if not run.is_ready:
        run.stop()
        text = run.log()
        is_told = "pool" in text and ("tx" in text or "descriptor" in text or "queue" in text)
        return check(name, is_told, f"refused: {text}")
    went_on = wait(lambda: run.counter("gen", "packets") > 3 * pool, 60)
    sent = run.counter("gen", "packets")
    run.stop()
    return check(name, went_on, f"{sent} packets sent with {pool} rooms; {'it goes on' if went_on else 'then nothing more, and no word of it'}")


def work():
    for card in (A, B):
        card.bind("uio_pci_generic")
    try_one("pool-511", "", 511)
    try_one("ring-4096", "tx_descriptors = 4096", 2047)


job(work)
