"""One node for tests: an API server and a kubelet in a network namespace of the test process's own, without a
scheduler: Pods say spec.nodeName. What the node leaves behind is counted when it is gone."""

import ctypes
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from harness import PINTLE, SLOWER, Server, free_port, pintle
from images import write_oci_archive

CLONE_NEWNET = 0x40000000
NODE = "n1"
NODE_IP = "10.90.0.1"
IMAGE = "busybox:1"
CGROUPS = Path("/sys/fs/cgroup")
IS_CGROUP_V2 = (CGROUPS / "cgroup.controllers").exists()


def cgroup_directory(path, controller):
    """Of a control group: its hierarchy in v1, the only one in v2."""
    return CGROUPS / (path if IS_CGROUP_V2 else controller + path).lstrip("/")


class NetworkNamespace:
    """This thread, and every child from now on, in a namespace of its own; left again at the end."""

    def __enter__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.old = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        assert self.libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", f"{NODE_IP}/32", "dev", "lo"], check=True)
        return self

    def __exit__(self, *_):
        assert self.libc.setns(self.old, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(self.old)

def processes_of(text):
    """Pids of processes whose command line mentions text, zombies apart."""
    found = []
    for p in Path("/proc").iterdir():
        if not p.name.isdigit():
            continue
        try:
            if text.encode() in (p / "cmdline").read_bytes() and int(p.name) != os.getpid():
                found.append(int(p.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found

class Node:
    """`pintle kubelet` and what it works on, below one directory."""

    def __init__(self, server, directory, name=NODE, flags=()):
        self.server, self.name = server, name
        self.dir = Path(directory)
        self.root, self.state, self.logs = self.dir / "kubelet", self.dir / "run", self.dir / "logs"
        self.images, self.manifests = self.dir / "images", self.dir / "manifests"
        self.cgroup = "/pintle-test-" + str(os.getpid()) + "-" + self.dir.name
        self.port = free_port()
        self.flags = list(flags)
        self.process = None
        self.stderr_path = self.dir / "kubelet.stderr"
        self.manifests.mkdir(parents=True, exist_ok=True)

    def init(self, ranges="10.244.1.0/24"):
        done = pintle("pki", "node", self.server.dir, "--node-name", self.name, "--node-addresses", NODE_IP,
                      "--secure-port", self.server.port)
        assert done.returncode == 0, done.stderr
        self.ranges = ranges
        return self

    def load(self, name=IMAGE, files=(), config=None):
        archive = write_oci_archive(self.dir / "image.tar", name, files, config)
        done = subprocess.run([str(Path(PINTLE).parent / "pintle-image"), "--store", str(self.images), "load",
                               str(archive)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        Path(archive).unlink()

    def command(self, *more):
        return [PINTLE, "kubelet", "--kubeconfig", str(self.server.dir / f"kubelet-{self.name}.conf"),
                "--hostname-override", self.name, "--node-ip", NODE_IP, "--root-dir", str(self.root),
                "--state-dir", str(self.state), "--image-dir", str(self.images), "--log-dir", str(self.logs),
                "--cgroup-root", self.cgroup, "--port", str(self.port),
                "--pod-manifest-path", str(self.manifests), "--cluster-dns", "10.96.0.10",
                "--tls-cert-file", str(self.server.dir / f"pki/kubelet-{self.name}.crt"),
                "--tls-private-key-file", str(self.server.dir / f"pki/kubelet-{self.name}.key"),
                "--client-ca-file", str(self.server.dir / "pki/ca.crt"), *map(str, self.flags), *more]

    def start(self):
        with open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(self.command("--v", "4"), stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        return self

    def stop(self, sig=signal.SIGTERM):
        if not self.process:
            return None
        self.process.send_signal(sig)
        code = self.process.wait(20 * SLOWER)
        self.process = None
        return code

    def clean(self):
        """What a test's end runs: nothing of the node may stay."""
        self.stop()
        done = subprocess.run(self.command("--cleanup"), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        # The group that the kubelet was told to work below is the caller's to remove.
        for group in (*Path("/sys/fs/cgroup").glob("*" + self.cgroup), Path("/sys/fs/cgroup" + self.cgroup)):
            if group.is_dir():
                group.rmdir()
        left = self.leftovers()
        assert not left, left

    def leftovers(self):
        """Processes, mounts, cgroups and links that name this node."""
        found = [f"process {p}" for p in processes_of(str(self.dir))]
        found += [f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines()
                  if str(self.dir) in line]
        found += [f"cgroup {p}" for p in Path("/sys/fs/cgroup").glob("*" + self.cgroup)]
        found += [f"cgroup {p}" for p in Path("/sys/fs/cgroup").glob(self.cgroup[1:])]
        links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
        found += [f"link {link['ifname']}" for link in links if link["ifname"] != "lo"]
        found += [f"directory {p}" for p in (self.root / "pods").glob("*")]
        return found

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

def await_object(raw, path, wanted, timeout=30):
    """The object at path ("/api/v1/namespaces/default/pods/x"), as soon as wanted(it) holds; wanted(None) asks
    about an object that is gone."""
    collection, name = path.rsplit("/", 1)
    end = time.monotonic() + timeout * SLOWER
    last = None
    with raw.watch(collection, fieldSelector=f"metadata.name={name}", sendInitialEvents="true",
                   resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true") as watch:
        while True:
            left = end - time.monotonic()
            try:
                event = watch.next(max(left, 0.01))
            except TimeoutError:
                raise AssertionError(f"{path} is not what was awaited: {json.dumps(last, indent=1)}") from None
            assert event, f"the watch of {path} ended"
            if event["type"] == "BOOKMARK":
                if last is None and wanted(None):
                    return None
                continue
            last = None if event["type"] == "DELETED" else event["object"]
            if wanted(last):
                return last
