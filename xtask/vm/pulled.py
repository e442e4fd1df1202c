"""A card that is pulled out while it is used: told of at the default log level and in the summary, and the run goes on with the
others. vfio-pci keeps the card until the run has ended: that is told of, too."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

BIND = JOB["settings"].get("bind", "uio_pci_generic")


def config(cards):
    """A responder on each card, and a generator that sends all the time to a card that is about to go."""
    text = "".join(port(card.id, card) for card in cards)
    for n, card in enumerate(cards):
        # One lcore sends to each: some have one tx queue.
        text += (module(f"answer-{card.id}", "responder", f'addresses = ["10.0.0.{10 + n}"]', f'tx = ["{card.id}"]')
                 + chain(f'port = "{card.id}"', f"answer-{card.id}", card.id, "lcores = [0]")
                 + generator(f"gen-{card.id}", card.id, f'dst_mac = "{KERNEL.mac}"', rate=200, more="lcores = [0]"))
    return text


def pull(run, card, last, last_address):
    ask("device_del", id=card.id)
    told = wait(lambda: card.address in run.log(), 60)
    gone = BIND == "vfio-pci" or wait(lambda: not os.path.exists(card.path), 60)
    lines = [line for line in run.log().splitlines() if card.address in line]
    check(f"{card.id}-told", gone and told, f"away from /sys: {gone}; told: {lines[:1] or run.log()}")
    sent, answered = ping(last_address, 20, 56, 30)
    check(f"{card.id}-others", run.is_alive() and answered == sent >= 20, f"{last.id} answers {answered} of {sent} pings after it")


def work():
    cards = list(CARDS.values())
    for card in cards:
        card.bind(BIND)
    kernel_interface()
    run = Run("pulled", config(cards))
    if not started("run", run):
        return
    wait(lambda: all(run.port(card.id).get("link_up") for card in cards))
    for card in cards[:-1]:
        pull(run, card, cards[-1], f"10.0.0.{10 + len(cards) - 1}")
    summary = clean_end("stop", run, (0, 2))
    for card in cards[:-1]:
        seen = port_of(summary, card.id)
        check(f"{card.id}-summary", bool(seen.get("events")), f"link up {seen.get('link_up')}, events {json.dumps(seen.get('events'))}")
        if BIND == "vfio-pci":
            gone = wait(lambda: not os.path.exists(card.path), 30)
            check(f"{card.id}-gone", gone, f"away from /sys when the run has ended: {bool(gone)}")


job(work)
