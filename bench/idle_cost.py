"""Adds up /proc of a cluster's processes before and after a while: idle_cost.py ROOT SECONDS."""

import glob
import re
import select
import sys
import time
from pathlib import Path

root, seconds = sys.argv[1], float(sys.argv[2])
HERTZ = 100


def run_dir():
    for d in glob.glob("/run/pintle*"):
        try:
            if f"--root={root}\n" in Path(d, "cluster").read_text():
                return Path(d)
        except OSError:
            pass
    sys.exit(f"no cluster is up at {root}")


def processes():
    d = run_dir()
    found = {"supervisor": int((d / "lock").read_text())}
    for line in (d / "components").read_text().splitlines():
        found[line.split()[0]] = int(line.split()[1])
    return found


def sample(pid):
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    wakeups = 0
    for status in glob.glob(f"/proc/{pid}/task/*/status"):
        wakeups += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(status).read_text(), re.M).group(1))
    written = int(re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M).group(1))
    return {"ms": (int(stat[11]) + int(stat[12])) * 1000 / HERTZ, "wakeups": wakeups, "written": written,
            "ns": int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])}


def pss_kib(pid):
    return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))


pids = processes()
select.select([], [], [], 5)  # what the start left to do
before = {name: sample(pid) for name, pid in pids.items()}
began = time.monotonic()
select.select([], [], [], seconds)
took = time.monotonic() - began
total = {"pss": 0, "ns": 0, "wakeups": 0, "written": 0}
for name, pid in pids.items():
    after, pss = sample(pid), pss_kib(pid)
    cpu, woken = after["ns"] - before[name]["ns"], after["wakeups"] - before[name]["wakeups"]
    written = after["written"] - before[name]["written"]
    total = {"pss": total["pss"] + pss, "ns": total["ns"] + cpu, "wakeups": total["wakeups"] + woken,
             "written": total["written"] + written}
    print(f"  {name:<22} pss={pss} KiB cpu={cpu / took / 1e7:.3f}% wakeups={woken / took:.1f}/s written={written} B")
print(f"idle: pss={total['pss'] / 1024:.1f} MiB cpu={total['ns'] / took / 1e7:.2f}% of a core "
      f"wakeups={total['wakeups'] / took:.1f}/s written={total['written'] * 3600 / took / 1024:.0f} KiB/h "
      f"processes={len(pids)} goal=32 MiB, 0.3%, 1024 KiB/h and node")
