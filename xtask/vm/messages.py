"""What a new user meets: a card that is the kernel's, no IOMMU, too few huge pages, a card that DPDK has no driver for, an address
without its domain. Each message must say what to do."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from bed import *  # noqa: F403

A, ODD = CARDS["a"], CARDS["odd"]


def plain(card, more=""):
    return port("a", card, more) + responder("answer", "a", "10.0.0.2")


def told(name, text, *wanted):
    """The text has each of these, regardless of case."""
    lacks = [want for want in wanted if not re.search(want, text, re.IGNORECASE)]
    check(name, not lacks, (f"lacks {lacks}: " if lacks else "") + text)


def refused(name, config, *wanted, head=""):
    run = Run(name, config, head)
    if run.is_ready:
        run.stop()
        return failed(name, "it started")
    run.stop()
    told(name, run.log(), *wanted)


def doctor(name, finding, *wanted):
    findings = json.loads(sh(PERIGEE, "doctor", "--json", "-")[1])
    found = next((f for f in findings if f["name"] == finding), None)
    told(name, json.dumps(found), *wanted)


def work():
    kernel_interface()
    # The kernel has it: who binds it cuts off what is connected over it.
    doctor("doctor-kernel", f"card {KERNEL.address}", "ip link set k0 down", "bind")
    told("ports-kernel", sh(PERIGEE, "ports")[1], KERNEL.address, "e1000e", "k0", "bound")
    refused("run-kernel", plain(KERNEL), KERNEL.address, "bound|bind|driver")
    # No IOMMU, and this kernel has no mode without.
    load("vfio-pci")
    doctor("doctor-iommu", "IOMMU", "firmware|kernel's command line")
    doctor("doctor-no-iommu-card", f"card {A.address}", "uio_pci_generic")
    try:
        A.bind("vfio-pci")
        failed("vfio-no-iommu", "vfio-pci took a card without an IOMMU")
    except (OSError, RuntimeError) as error:
        ok("vfio-no-iommu", f"as expected, vfio-pci does not take it: {error}")
    mode = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
    (ok if not os.path.exists(mode) else failed)("vfio-no-iommu-mode", f"{mode}: {'there' if os.path.exists(mode) else 'not in this kernel'}")
    # Without huge pages a card on uio has no addresses that hold.
    A.bind("uio_pci_generic")
    refused("run-no-huge-pages", plain(A), "huge")
    refused("run-huge-pages-off", plain(A), "huge", head='huge_pages = "off"')
    huge_pages(8)
    refused("run-few-huge-pages", plain(A), "huge")
    huge_pages(200)
    # DPDK has no driver for it; the others are shown all the same.
    ODD.bind("uio_pci_generic")
    told("ports-no-driver", sh(PERIGEE, "ports")[1], ODD.address, "driver", "net_e1000_em")
    refused("run-no-driver", plain(ODD), ODD.address, "driver")
    # A short address is the card's.
    short = plain(A).replace(A.address, A.address.removeprefix("0000:"))
    run = Run("short-address", short)
    started("short-address", run) and clean_end("short-address-end", run)
    refused("run-no-card", plain(A).replace(A.address, "0000:00:1d.0"), "0000:00:1d.0", "no|not|find")


job(work)
