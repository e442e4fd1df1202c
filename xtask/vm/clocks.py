"""Clocks of cards, as far as QEMU has them: whether they can be read, move, and run beside the system's."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403


def look(card):
    """What `perigee clocks` says of one card; its text, too, where it is no JSON."""
    code, text = sh(PERIGEE, "clocks", card.address, "--for", "5s", "--json", "-")
    try:
        seen = json.loads(text[text.index("{\n"):])
        return code, seen["ports"][0], text
    except (ValueError, IndexError, KeyError):
        return code, None, text


def work():
    for card in CARDS.values():
        card.bind("uio_pci_generic")
    for name, card in CARDS.items():
        code, port, text = look(card)
        if not port:
            failed(name, text)
            continue
        drift = port["beside_raw"]
        if port["read_by"] is None:
            # Refused by name: the driver, and what it said.
            check(name, code == 1 and port["driver"] == card.driver and port["refused"], f"{port['driver']} has no clock: {port['refused']}")
        elif drift is None:
            check(name, code == 1 and port["remark"], f"{port['read_by']}: {port['remark']}")
        else:
            check(name, code == 0, f"{port['read_by']} in {port['reading_ns']} ns: {drift['ppm']} ppm +- {drift['unsure_ppm']:.3f}, worst "
                  f"{drift['worst_ns']:.0f} ns, {drift['hz']:.0f} Hz; {port['remark']}; rx timestamps: {port['rx_timestamps']}")


job(work)
