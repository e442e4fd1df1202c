#!/usr/bin/env python3
"""Runs lcores.toml, and looks at what the two firewalls let through: lcores.py PERIGEE FOLDER. Then once more with the directions of
connections apart, to see that it would be noticed."""
import json, os, subprocess, sys

perigee, folder = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))


def run(config, name):
    report = f"{folder}/{name}.json"
    done = subprocess.run([perigee, "run", config, "--quiet", "--control", "off", "--duration", "2s", "--json", report],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{config}: {done.stdout}{done.stderr}")
    told = json.loads(open(report).read())
    modules = {}
    for module in told["modules"]:
        modules.setdefault(module["name"], []).append(module["counters"])
    return modules, told["accounting"]


modules, accounting = run(f"{here}/lcores.toml", "together")
walls, sent = modules["firewall"], modules["stamp"]
# An answer may come in the same moment as a question of the same connection; what is on its way at the end is not there.
passed, new = [wall["accepted.established"] for wall in walls], [wall["connections.new"] for wall in walls]
dropped, came = sum(wall["dropped.policy"] for wall in walls), sum(counts["answers"] for counts in modules["clients"])
uninvited = sent[1]["stamped"]
print(f"{'packets of known connections, at each firewall':<52} {' and '.join(map(str, passed))}")
print(f"{'connections, at each firewall':<52} {' and '.join(map(str, new))}")
print(f"{'dropped, of as many that nobody had asked for':<52} {dropped} of {uninvited}")
print(f"{'answers that came to clients':<52} {came} of {modules['servers'][0]['answered']}")
assert accounting["balanced"] and min(passed) > 2_000 and min(new) > 500
assert 2_000 <= sum(new) <= 2_048, new
# What nobody has asked for is all that is dropped: up to what is on its way when the run ends.
assert uninvited - 100 <= dropped <= uninvited and modules["servers"][0]["answered"] - 200 <= came, (dropped, uninvited, came)

# Spread by another key on one side, half of the connections have their directions at different firewalls.
text = open(f"{here}/lcores.toml").read().replace("../../target", os.path.realpath(f"{here}/../../target"))
spread = text[text.index("[[module]]\nname = \"spread\""):text.index("[[module]]\nname = \"firewall\"")]
other = spread.replace('"spread"', '"other"').replace('by = "ports"', 'by = "ports", key = 1')
text = text.replace(spread, spread + other).replace('source = { port = "b" }\nstages = ["spread"]', 'source = { port = "b" }\nstages = ["other"]')
open(f"{folder}/apart.toml", "w").write(text)
modules, accounting = run(f"{folder}/apart.toml", "apart")
dropped = sum(wall["dropped.policy"] for wall in modules["firewall"])
print(f"{'dropped, where the directions fall apart':<52} {dropped}")
assert dropped > 3 * modules["stamp"][1]["stamped"], "half of all answers are lost"
