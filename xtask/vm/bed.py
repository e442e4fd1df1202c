"""What the jobs have in common: cards and their drivers, runs of perigee, the kernel's end, and the lines that the host reads.

A line is `ok NAME detail`, `FAILED NAME what` or `cannot NAME why` (the device or the driver cannot). `ask {...}` is a command to
QEMU's monitor.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

JOB = json.load(open(sys.argv[1]))
PERIGEE = JOB["perigee"]
MODULES = os.path.join(JOB["root"], "target/modules")
# The guest's own folder on the host.
OUT = "/mnt"
# An emulated CPU is slow, and a start is mostly the compiler's work.
PATIENCE = 180


def say(line):
    print(line, flush=True)


def ok(name, detail=""):
    say(f"ok {name} {detail}")


def failed(name, what):
    say(f"FAILED {name} {one_line(what)}")


def cannot(name, why):
    say(f"cannot {name} {one_line(why)}")


def check(name, truth, detail):
    (ok if truth else failed)(name, one_line(detail))
    return truth


def one_line(text):
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(text))
    return " ".join(plain.split())[:700]


def ask(command, **arguments):
    """A command to QEMU's monitor. What comes of it is to be seen in the guest."""
    say("ask " + json.dumps({"execute": command, "arguments": arguments}))


def wait(truth, seconds=PATIENCE):
    """Waits until `truth()` is true; gives back its last value."""
    end = time.monotonic() + seconds
    while not (value := truth()) and time.monotonic() < end:
        time.sleep(0.2)
    return value


def sh(*command, timeout=PATIENCE):
    """Runs a program; gives back its exit code and all that it printed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        return 124, f"{' '.join(command)} took longer than {timeout} s: {error.stdout}"
    return done.returncode, done.stdout


def must(*command):
    code, text = sh(*command)
    if code != 0:
        raise RuntimeError(f"{' '.join(command)}: {text}")
    return text


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def load(*modules):
    """Loads modules of the kernel, which lie beside the bed."""
    for module in modules:
        must(os.path.join(JOB["tools"], "bin/modprobe"), "-d", JOB["kernel"], module)


def huge_pages(number):
    """Sets pages of 2 MiB apart; gives back how many there are."""
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    write(path, number)
    return int(read(path))


class Card:
    """A card of the guest's, by the job's description."""

    def __init__(self, told):
        self.id, self.mac, self.driver, self.model = told["id"], told["mac"], told["driver"], told["model"]
        self.address = f"0000:00:{told['slot']:02x}.0"
        if told["at_port"]:
            inside = os.listdir(f"/sys/bus/pci/devices/{self.address}")
            self.address = next(name for name in inside if re.fullmatch(r"0000:..:..\.0", name))
        self.path = f"/sys/bus/pci/devices/{self.address}"

    def bound(self):
        link = f"{self.path}/driver"
        return os.path.basename(os.readlink(link)) if os.path.exists(link) else ""

    def bind(self, driver):
        """Gives it to a driver, as driverctl and dpdk-devbind.py do."""
        load(driver)
        write(f"{self.path}/driver_override", driver)
        if self.bound():
            write(f"{self.path}/driver/unbind", self.address)
        write("/sys/bus/pci/drivers_probe", self.address)
        if self.bound() != driver:
            raise RuntimeError(f"{self.address} ({self.model}) is not taken by {driver}")

    def set_link(self, up):
        ask("set_link", name=self.id, up=up)


CARDS = {told["id"]: Card(told) for told in JOB["cards"] if not told["kernel"]}
KERNEL = next((Card(told) for told in JOB["cards"] if told["kernel"]), None)


def kernel_interface(address="10.0.0.1/24", driver="e1000e"):
    """The kernel's end, up and with an address. It sees what is on the wire: its own rx checksum offload is off, so that the kernel
    checks each packet, and its own offloads on tx as well."""
    load(driver)
    names = [name for name in os.listdir("/sys/class/net") if read(f"/sys/class/net/{name}/address") == KERNEL.mac]
    if not names:
        raise RuntimeError("the kernel's card has no interface")
    must("ip", "link", "set", names[0], "name", "k0")
    sh("ethtool", "-K", "k0", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
    # It would ask for its neighbours whenever it likes.
    write("/proc/sys/net/ipv6/conf/k0/disable_ipv6", 1)
    must("ip", "addr", "add", address, "dev", "k0")
    must("ip", "link", "set", "k0", "up")
    wait(lambda: read("/sys/class/net/k0/carrier") == "1")


def snmp(name):
    """A counter of the kernel's, such as `UdpInErrors`."""
    lines = read("/proc/net/snmp").splitlines()
    for head, values in zip(lines[::2], lines[1::2]):
        kind = head.split(":")[0]
        for key, value in zip(head.split()[1:], values.split()[1:]):
            if kind + key == name:
                return int(value)
    raise KeyError(name)


def ping(address, count, size=1400, seconds=60):
    """Asks as fast as it is answered, until so many were sent or the time is over; gives back how many were sent and how many
    answered. In rounds: what is cut off in the middle has a last question that nobody had the time to answer."""
    sent = answered = 0
    end = time.monotonic() + seconds
    while sent < count and time.monotonic() < end:
        share = min(200, count - sent)
        _, text = sh("ping", "-A", "-q", "-n", "-c", str(share), "-W", "5", "-s", str(size), address, timeout=seconds + 60)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        if not found or found[2] == "0":
            return sent + share, answered
        sent, answered = sent + int(found[1]), answered + int(found[2])
    return sent, answered


# ---- configurations

def module(name, file, config="", grants=""):
    """A module that is given the time which an emulated CPU needs."""
    return (f'[[module]]\nname = "{name}"\nfile = "{MODULES}/{file}.wasm"\n'
            f'grants = {{ deadline = "5s", control_deadline = "20s", hostcalls = ["log", "counter"]{", " + grants if grants else ""} }}\n'
            + (f"config = {{ {config} }}\n" if config else ""))


def port(name, card, more=""):
    return f'[[port]]\nname = "{name}"\ndevice = "{card.address}"\n{more}\n'


def chain(source, stages="", tx="", more=""):
    return (f"[[chain]]\nsource = {{ {source} }}\n" + (f'stages = ["{stages}"]\n' if stages else "")
            + (f'tx = ["{tx}"]\n' if tx else "") + more + "\n")


def generator(name, tx, config, rate=2000, pool=2047, more=""):
    """A chain whose source is udp-gen."""
    return (module(name, "udp-gen", config, f'packets_per_second = "{rate}"')
            + chain(f'module = "{name}", pool = {pool}', tx=tx, more=more))


def responder(name, at, address, source=""):
    """A chain that answers for an address on a port."""
    return (module(name, "responder", f'addresses = ["{address}"]', f'tx = ["{at}"]')
            + chain(f'port = "{at}"' + source, name, at))


class Run:
    """A run of perigee that is under way."""

    def __init__(self, name, config="", head="", arguments=None, log="warn"):
        self.name, self.socket, self.json = name, f"/run/bed/{name}.sock", f"/run/bed/{name}.json"
        self.errors = f"/run/bed/{name}.log"
        if arguments is None:
            file = f"/run/bed/{name}.toml"
            write(file, f'[run]\nidle = "nap"\nwatchdog = "120s"\n{head}\n[load]\ntime = "10min"\n{config}')
            arguments = ["run", file]
        reader, writer = os.pipe()
        self.start = time.monotonic()
        self.process = subprocess.Popen(
            [PERIGEE, *arguments, "--quiet", "--log", log, "--json", self.json, "--control", self.socket, "--ready-fd", str(writer)],
            stdout=subprocess.DEVNULL, stderr=open(self.errors, "w"), pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as ready:
            self.is_ready = ready.read().strip() == "ready"
        self.took = time.monotonic() - self.start

    def log(self):
        return read(self.errors)

    def ctl(self, *words):
        code, text = sh(PERIGEE, "ctl", "--socket", self.socket, *words, "--json")
        try:
            return json.loads(text)
        except ValueError:
            return {"error": f"exit code {code}: {text}"}

    def port(self, name):
        return next((port for port in self.ctl("stats").get("ports", []) if port["name"] == name), {})

    def counter(self, module, name):
        """A module's counter, of all its instances."""
        modules = [m for m in self.ctl("stats").get("modules", []) if m["name"] == module]
        return sum(m["counters"].get(name, 0) for m in modules)

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def where(self):
        """What each thread does, for a process that does not end."""
        for task in glob.glob(f"/proc/{self.process.pid}/task/*"):
            say(f"  thread {read(task + '/comm')}: {read(task + '/wchan')}, syscall {read(task + '/syscall')}")
        if shutil.which("gdb"):
            say(sh("gdb", "-p", str(self.process.pid), "-batch", "-ex", "thread apply all bt 12", timeout=240)[1][-6000:])

    def stop(self):
        """A clean stop; gives back the exit code and the summary."""
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.where()
            self.kill()
            return 124, {}
        try:
            return code, json.loads(read(self.json) or "{}")
        except ValueError:
            return code, {}


def started(check_name, run):
    """Says whether a run has started."""
    if run.is_ready:
        return check(check_name, True, f"in {run.took:.0f} s")
    run.stop()
    return check(check_name, False, run.log())


def clean_end(check_name, run, allowed=(0,)):
    """Stops a run: exit code, accounting and pools must be right. Gives back the summary."""
    code, summary = run.stop()
    balanced = summary.get("accounting", {}).get("balanced")
    pools = [pool["name"] for pool in summary.get("pools", []) if not pool["full"]]
    good = code in allowed and balanced and not pools
    log = "" if good else run.log()
    check(check_name, good, f"exit code {code}, balanced {balanced}, pools not full: {pools or 'none'} {log}")
    return summary


def port_of(summary, name):
    return next((port for port in summary.get("ports", []) if port["name"] == name), {})


def counters(summary, module):
    total = {}
    for entry in summary.get("modules", []):
        if entry["name"] == module:
            for key, value in entry["counters"].items():
                total[key] = total.get(key, 0) + value
    return total


def dmar_faults():
    """Accesses that the IOMMU has refused, as the kernel tells of them."""
    return [line for line in sh("dmesg")[1].splitlines() if "DMAR:" in line and "fault addr" in line]


def take_compiled():
    """Modules that another guest has compiled. Perigee takes a cache of its own user's only, which copies are."""
    if os.path.isdir(JOB["compiled"]):
        shutil.copytree(JOB["compiled"], "/var/cache/perigee", copy_function=shutil.copyfile)
        os.chmod("/var/cache/perigee", 0o700)
        for name in glob.glob("/var/cache/perigee/*"):
            os.chmod(name, 0o600)


def leave_logs():
    """What perigee said, beside the guest's console."""
    for name in glob.glob("/run/bed/*.log") + glob.glob("/run/bed/*.toml"):
        shutil.copyfile(name, f"{OUT}/{os.path.basename(name)}")


def job(work):
    """Runs the script's work; the last line says that it came to its end."""
    try:
        take_compiled()
        if JOB["huge_pages"]:
            got = huge_pages(JOB["huge_pages"])
            if got < JOB["huge_pages"]:
                raise RuntimeError(f"the kernel gave {got} huge pages")
        work()
        leave_logs()
        say("end")
    except Exception as error:
        failed("script", f"{type(error).__name__}: {error}")
        traceback.print_exc(file=sys.stdout)
