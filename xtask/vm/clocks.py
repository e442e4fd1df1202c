"""Clocks of cards, as far as QEMU has them: whether they can be read, move, and run beside the system's."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403


def look(*cards, more=()):
    """What `perigee clocks` says of cards; its text, too, where it is no JSON."""
    code, text = sh(PERIGEE, "clocks", *[card.address for card in cards], "--for", "5s", "--json", "-", *more)
    try:
        return code, json.loads(text[text.index("{\n"):]), text
    except ValueError:
        return code, None, text


def told(drift):
    return f"{drift['ppm']:+.3f} ppm +- {drift['unsure_ppm']:.3f}, worst {drift['worst_ns']:.0f} ns"


def one(name, card):
    code, seen, text = look(card)
    if not seen or not seen["ports"]:
        return failed(name, text)
    port = seen["ports"][0]
    drift = port["beside_raw"]
    if port["read_by"] is None:
        # Refused by name: the driver, and what it said.
        return check(name, code == 1 and port["driver"] == card.driver and port["refused"], f"{port['driver']} has no clock: {port['refused']}")
    if drift is None:
        return check(name, code == 1 and port["remark"], f"{port['read_by']}: {port['remark']}")
    check(name, code == 0, f"{port['read_by']} in {port['reading_ns']} ns: {told(drift)}, {drift['hz']:.0f} Hz; {port['remark'] or 'no remark'}")


def work():
    for card in CARDS.values():
        card.bind("uio_pci_generic")
    for name, card in CARDS.items():
        one(name, card)
    # Two cards with clocks: beside each other, and which packets of the first the second stamps.
    code, seen, text = look(CARDS["igb"], CARDS["igb-too"], more=["--stamps"])
    if not seen or not seen["pairs"]:
        return failed("pair", text)
    drift = seen["pairs"][0]["drift"]
    check("pair", code == 0 and drift, told(drift) if drift else text)
    for trial in seen["trials"]:
        check(f"stamps {trial['packet']}".replace(" ", "-"), trial["came"] == trial["sent"] == 3,
              f"sent {trial['sent']}, stamped {trial['tx_stamped']}; came {trial['came']}, stamped in the packet {trial['rx_in_packet']}, "
              f"flagged {trial['rx_flagged']}, by a register {trial['rx_in_register']}")


job(work)
