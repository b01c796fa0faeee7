"""A whole cluster on this machine for the tests: `pintle up` with nodes in namespaces of their own, on free ports and
address ranges, in memory; and a count of everything in the kernel that bears its name.

The machine may run other clusters at the same time, so nothing is counted that is not this cluster's: its root, its
run directory and its id are in the names of all that it makes.
"""

import os
import random
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness import PINTLE, SLOWER, free_port
from images import write_oci_archive

CGROUPS = Path("/sys/fs/cgroup")
# The first process of a container has no default for SIGTERM, so a server that sets no handler would wait for SIGKILL.
SERVE = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"
WHO = b"#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'; hostname\n"


def free_block():
    """The second byte of 10.X.0.0/16 that no route of this machine mentions."""
    used = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    choices = [x for x in range(128, 240) if f"10.{x}." not in used]
    return random.choice(choices)


def read(path):
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


def until(what, fn, timeout=60):
    """The first true answer of fn; asks again until then. For what gives no event to wait for."""
    end = time.monotonic() + timeout * SLOWER
    while True:
        got = fn()
        if got:
            return got
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        select.select([], [], [], 0.05)


class Cluster:
    def __init__(self, root, nodes=2, flags=(), ephemeral=True, wrapper=()):
        self.root, self.nodes = Path(root), nodes
        self.block, self.port = free_block(), free_port()
        self.wrapper = list(wrapper)
        self.process = self.id = self.run_dir = None
        self.flags = [f"--root={root}", f"--secure-port={self.port}", f"--dns-port={free_port()}",
                      f"--node-cidr=10.{self.block}.255.0/24", f"--cluster-cidr=10.{self.block}.0.0/17",
                      f"--service-cluster-ip-range=10.{self.block}.128.0/18", f"--nodes={nodes}", *flags]
        if ephemeral:
            self.flags.append("--ephemeral")
        self.stderr_path = Path(f"{root}.stderr")

    # --- life ---

    def command(self, *args):
        return [*self.wrapper, PINTLE, *map(str, args)]

    def start(self, timeout=60):
        with open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(self.command("up", *self.flags), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=err, text=True)
        assert select.select([self.process.stdout], [], [], timeout * SLOWER)[0], self.stderr()[-4000:]
        said = self.process.stdout.read()  # it closes its end when it has said everything
        assert re.fullmatch(rf"the cluster is up: {self.nodes} nodes? Ready after [0-9.]+ s\n"
                            rf"export KUBECONFIG={self.root}/admin.conf\n", said), (said, self.stderr()[-4000:])
        self._learn()
        return self

    def _learn(self):
        """The id, out of the run directory that the supervisor chose."""
        for d in Path("/run").glob("pintle*"):
            if f"--root={self.root}\n" in read(d / "cluster"):
                self.run_dir, self.id = d, d.name.partition("-")[2]

    def stop_supervisor(self, sig=15):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        if self.process:
            self.process.wait(40)
            self.process.stdout.close()
        self.process = None

    def down(self, *flags):
        done = subprocess.run(self.command("down", f"--root={self.root}", *flags), capture_output=True, text=True,
                              timeout=120)
        self.stop_supervisor()
        return done

    def pintle(self, *args, stdin=None):
        return subprocess.run(self.command(args[0], f"--root={self.root}", *args[1:]), capture_output=True, text=True,
                              timeout=60, input=stdin)

    def stderr(self):
        return read(self.stderr_path)

    # --- what runs ---

    def components(self):
        """{name: pid}"""
        lines = read(self.run_dir / "components").splitlines()
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    def states(self):
        return {line.split()[0]: line.split()[2] for line in read(self.run_dir / "components").splitlines()}

    def await_component(self, name, other_than):
        return until(f"{name} runs again", lambda: self.states().get(name) == "ready"
                     and self.components()[name] not in (0, other_than))

    @property
    def kubeconfig(self):
        return self.root / "admin.conf"

    @property
    def url(self):
        return f"https://10.{self.block}.255.1:{self.port}"

    def node_names(self):
        return [f"node-{i + 1}" for i in range(self.nodes)]

    def load_image(self, name, files=(), config=None):
        with tempfile.NamedTemporaryFile(suffix=".tar") as f:
            write_oci_archive(f.name, name, files, config)
            done = self.pintle("image", "load", f.name)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def load_test_images(self):
        self.load_image("busybox:1")
        for version in ("1", "2"):
            self.load_image(f"web:{version}", [("www/index.html", f"web {version}\n".encode(), 0o644),
                                               ("www/cgi-bin/who", WHO, 0o755)],
                            {"Cmd": ["sh", "-c", SERVE]})

    # --- what is there of it ---

    def cgroups(self):
        found = []
        for top in [CGROUPS, *CGROUPS.iterdir()]:
            if top.is_dir():
                found += [d for g in top.glob(f"pintle-{self.id}-*") for d, _, _ in os.walk(g)]
        return found

    def processes(self):
        """Command lines that name its directories, and whatever is in its control groups."""
        found = {}
        pids = {int(p) for g in self.cgroups() for p in read(f"{g}/cgroup.procs").split()}
        for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
            line = read(f"/proc/{pid}/cmdline").replace("\0", " ")
            mine = f"{self.root}/" in line or f"--root={self.root}" in line or f"pintle-{self.id}" in line
            if (mine or pid in pids) and pid != os.getpid() and line and not line.startswith(("tail ", "kubectl ")):
                found[pid] = line
        return found

    def mounts(self):
        return self.own_mounts(read("/proc/self/mountinfo"))

    def own_mounts(self, mountinfo):
        return [line.split()[4] for line in mountinfo.splitlines()
                if re.search(rf" ({re.escape(str(self.root))}|{re.escape(str(self.run_dir))})[/ ]", line)]

    def links(self):
        text = subprocess.run([*self.wrapper, "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        found = re.findall(rf"pn{self.id}-\d+", text)
        for node in self.node_names():
            netns = self.run_dir / "netns" / node
            done = subprocess.run(["nsenter", f"--net={netns}", "ip", "-o", "link"], capture_output=True, text=True)
            found += [f"{node}:{line.split(':')[1].split('@')[0].strip()}" for line in done.stdout.splitlines()]
        return found

    def tables(self):
        done = subprocess.run([*self.wrapper, "nft", "list", "tables"], capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if f"pintle-{self.id}" in line]

    def namespaces(self):
        """By what holds them: files of the run directory, and the processes of the cluster."""
        found = [str(p) for p in self.run_dir.rglob("*") if p.is_file() and os.stat(p).st_dev == NSFS] \
            if self.run_dir.exists() else []
        kinds = Counter()
        for pid in self.processes():
            for kind in ("net", "mnt", "pid", "ipc", "uts"):
                try:
                    kinds[os.readlink(f"/proc/{pid}/ns/{kind}")] += 1
                except OSError:
                    pass
        return found + sorted(kinds)

    def census(self):
        """Everything that it has in the kernel now, as counts by kind."""
        held = {}
        for node in self.node_names():
            file = self.run_dir / "nodes" / node / "mounts"
            done = subprocess.run(["nsenter", f"--mount={file}", "cat", "/proc/self/mountinfo"], capture_output=True,
                                  text=True)
            held[node] = len(self.own_mounts(done.stdout))
        return {"processes": len(self.processes()), "mounts": len(self.mounts()), "mounts of nodes": held,
                "namespaces": len(self.namespaces()), "links": len(self.links()), "tables": self.tables(),
                "cgroups of Pods": len([g for g in self.cgroups() if "/pod" in g])}

    def remains(self):
        """What a cluster that is down must not have."""
        left = {"processes": self.processes(), "mounts": self.mounts(), "cgroups": self.cgroups(),
                "links": [link for link in self.links() if ":" not in link], "tables": self.tables(),
                "run directory": [str(self.run_dir)] if self.run_dir.exists() else []}
        return {k: v for k, v in left.items() if v}

    def check_gone(self):
        # Who was killed may be somebody else's child, reaped in its own time.
        until("nothing is left", lambda: not self.remains() or self._show(), timeout=40)

    def _show(self):
        self.last = self.remains()
        return False

    def discard(self):
        """The end of a test, whatever state it left."""
        done = self.down("--purge")
        shutil.rmtree(self.root, ignore_errors=True)
        left = self.remains() if self.run_dir else {}
        assert done.returncode == 0, done.stderr
        assert not left, left


def _nsfs_device():
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        return os.fstat(fd).st_dev
    finally:
        os.close(fd)


NSFS = _nsfs_device()


def connect(address, port, timeout=5):
    return socket.create_connection((address, int(port)), timeout=timeout)
