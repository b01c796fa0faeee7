"""Median ms of conmon + crun create and crun start of a bundle: conmon_start_time.py BUNDLE DIRECTORY N."""

import json
import os
import statistics
import subprocess
import sys
import time

bundle, work, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
took = []
for i in range(n):
    name = f"bench-{os.getpid()}-{i}"
    read, write = os.pipe()
    began = time.monotonic()
    subprocess.run(["conmon", "-b", bundle, "-c", name, "-n", name, "-u", name, "-r", "/usr/bin/crun", "-p", f"{work}/pid",
                    "-l", f"{work}/ctr.log", "--exit-dir", f"{work}/exits", "--persist-dir", f"{work}/persist",
                    "--socket-dir-path", f"{work}/sockets", "--runtime-arg", "--cgroup-manager=cgroupfs"],
                   env={**os.environ, "_OCI_SYNCPIPE": str(write)}, pass_fds=[write], check=True)
    os.close(write)
    with os.fdopen(read) as f:
        pid = json.loads(f.readline())["pid"]
    assert pid > 0, f"{name}: {pid}"
    subprocess.run(["crun", "start", name], check=True)
    took.append((time.monotonic() - began) * 1000)
    subprocess.run(["crun", "delete", "--force", name], check=True)
print(f"{statistics.median(took):.1f}")
