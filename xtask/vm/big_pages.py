"""Pages of 1 GiB: rooms do not lie there, so a machine with these alone has none for a card on uio; beside pages of 2 MiB they do no
harm."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

A = CARDS["a"]


def work():
    A.bind("uio_pci_generic")
    kernel_interface()
    findings = json.loads(sh(PERIGEE, "doctor", "--json", "-")[1])
    found = next(f for f in findings if f["name"] == "huge pages")
    check("doctor", "1 of 1 pages of 1 GiB" in found["found"] and found["state"] == "warn", found)
    config = port("a", A) + responder("answer", "a", "10.0.0.2")
    run = Run("alone", config)
    run.stop()
    check("alone", not run.is_ready and "2 MiB" in run.log(), f"started: {run.is_ready}; {run.log()}")
    huge_pages(100)
    run = Run("beside", config)
    if started("beside", run):
        wait(lambda: run.port("a").get("link_up"))
        sent, answered = ping("10.0.0.2", 500, 1400, 20)
        bad = run.counter("answer", "bad_checksum")
        check("ping", sent == answered > 0 and bad == 0, f"{answered} of {sent} with 1,400 bytes, wrong checksums {bad}")
        clean_end("stop", run)


job(work)
