"""The steps: each is a function that drives the guest and raises when something is not as it should be. They run in
this order, each on what those before it have left."""

import argparse
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

from vm import Failed, Vm

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = "build/tools/kubectl-1.36 --kubeconfig /var/lib/pintle/admin.conf --request-timeout=60s"
NODE_PORT = 30080
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: limited}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: localhost/hello:1
    command: [sh, -c, "trap 'exit 0' TERM; echo to stdout; echo to stderr >&2; while :; do sleep 1; done"]
    resources: {limits: {memory: 48Mi, cpu: 300m}, requests: {memory: 32Mi, cpu: 200m}}
---
apiVersion: v1
kind: Pod
metadata: {name: hungry}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: localhost/hello:1
    command: [python3, -c, "x = [bytearray(1 << 20) for i in range(200)]"]
    resources: {limits: {memory: 32Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: hungry-child}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: localhost/hello:1
    command: [sh, -c, "python3 -c 'x = [bytearray(1 << 20) for i in range(200)]'; sleep 100000"]
    resources: {limits: {memory: 32Mi}}
"""
# What the cluster may make on the machine, and must have removed at its end; one a line.
CENSUS = r"""
ps -eo args= | grep -E '^[^ ]*(pintle|conmon|crun)|[h]ello.py' | grep -vE 'vm-agent|grep' | sed 's/^/process /' | sort
sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\).*/mount \1/' /proc/self/mountinfo | sort -u | grep -E 'pintle|netns' || true
ls /run/netns 2>/dev/null | sed 's/^/netns /'
lsns -t net -n -o NS 2>/dev/null | sed 's/^ */netns /' | sort
ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
ip -4 route | sed 's/^/route /'
ip rule | sed 's/^/rule /'
nft list tables | sed 's/^/nft /'
find /sys/fs/cgroup -type d -regex '.*\(pintle\|kubepods\).*' | grep -v 'system.slice' | sed 's/^/cgroup /' | sort || true
ls -d /run/pintle* 2>/dev/null | sed 's/^/run /' || true
"""


def expect(condition, *what):
    if not condition:
        raise Failed(" ".join(map(str, what)) or "not as expected")


class Cluster:
    """The one in the guest, seen by kubectl."""

    def __init__(self, vm):
        self.vm = vm

    def kubectl(self, arguments, timeout=300):
        return self.vm(f"{KUBECTL} {arguments}", timeout)

    def get(self, arguments):
        return json.loads(self.kubectl(f"get {arguments} -o json"))

    def status(self, pod):
        return self.get(f"pod {pod}")["status"]["containerStatuses"][0]

    def until(self, what, condition, timeout=300):
        end = time.monotonic() + timeout
        while True:
            try:
                if value := condition():
                    return value
                seen = value
            except (Failed, OSError) as e:
                seen = e
            expect(time.monotonic() < end, f"not in {timeout} s: {what}: {seen}")
            time.sleep(1)

    def await_ready(self):
        self.until("the node is Ready", lambda: "Ready" in self.vm("build/pintle status").split("NODE", 1)[1].split())

    def await_demo(self):
        self.kubectl("rollout status deployment/hello --timeout=600s", 700)
        self.until("the Service answers", lambda: "Ahoy" in self.vm(
            f"curl -sS --max-time 10 http://{self.get('service hello')['spec']['clusterIP']}/"))

    def pods(self):
        return {p["metadata"]["name"]: p for p in self.get("pods -l app=hello")["items"]}

    def pids(self):
        """Of the containers' first processes, by container id."""
        return set(self.vm("pgrep -f '[h]ello.py' || true").split())


def cgroup_of(cluster, pod):
    """The control group of a Pod's only container, as a path in the guest."""
    p = cluster.get(f"pod {pod}")
    id = p["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
    return f"/sys/fs/cgroup/kubepods/burstable/pod{p['metadata']['uid']}/{id}"


# --- the steps ---

def boot(t):
    boot_id = t.vm.start()
    expect(boot_id)
    said = t.vm("uname -r; stat -fc %T /sys/fs/cgroup; grep -c ' cgroup ' /proc/mounts; cat /proc/1/comm").split()
    expect(said[1:] == ["cgroup2fs", "0", "systemd"], said)
    print(f"   Linux {said[0]}, control groups: v2 alone")


def nothing_is_missing(t):
    """The packages that deps.sh names are enough, and it knows."""
    expect(t.vm("scripts/deps.sh build run demo") == "")
    expect(t.vm("build/pintle version").startswith("pintle"))
    t.before = set(t.vm(CENSUS).splitlines())


def make_up(t):
    began = time.monotonic()
    out = t.vm("make up", 900)
    expect("1 node Ready" in out, out)
    t.cluster.await_ready()
    print(f"   {next(l for l in out.splitlines() if 'Ready' in l)}; the command took {time.monotonic() - began:.0f} s")


def a_second_up_is_refused(t):
    code, out = t.vm.run("build/pintle up --detach", 120)
    expect(code == 1 and "runs here already" in out, code, out)


def make_demo(t):
    out = t.vm("make demo", 1800)
    expect(out.count('"message": "Ahoy, world!"') == 4 and "the cat knows" in out, out)
    made = {line.split()[0] for line in set(t.vm(CENSUS).splitlines()) - t.before}
    expect(made >= {"process", "mount", "netns", "link", "route", "nft", "cgroup", "run"}, "the census is blind:", made)


def the_node_port_from_outside(t):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    seen = set()

    def ask():
        with opener.open(f"http://127.0.0.1:{t.port}/", timeout=20) as answer:
            seen.add(json.load(answer)["pod"])
        return seen == set(t.cluster.pods())

    t.cluster.until("every Pod answers through the node's port", ask)


def limits(t):
    t.vm(f"cat >/tmp/pods.yaml <<'E'\n{PODS}\nE\n{KUBECTL} apply -f /tmp/pods.yaml")
    t.cluster.kubectl("wait pod/limited --for=condition=Ready --timeout=300s", 400)
    group = cgroup_of(t.cluster, "limited")

    def read(at, name):
        return t.vm(f"cat {at}/{name}").strip()

    for at in (group, str(Path(group).parent)):
        expect(read(at, "memory.max") == str(48 << 20), at, read(at, "memory.max"))
        expect(read(at, "cpu.max") == "30000 100000", at, read(at, "cpu.max"))
        expect(1 < int(read(at, "cpu.weight")) < 100, at, read(at, "cpu.weight"))
    expect(read(group, "memory.oom.group") == "1", read(group, "memory.oom.group"))

    def bites():
        code, out = t.vm.run(f"{KUBECTL} exec limited -- timeout 5 sh -c 'while :; do :; done'")
        stat = read(group, "cpu.stat")
        expect(int(dict(line.split() for line in stat.splitlines())["nr_throttled"]) > 0, code, out, stat)
        return True

    t.cluster.until("the quota bites", bites)


def killed_for_memory(t):
    for pod in ("hungry", "hungry-child"):
        t.cluster.kubectl(f"wait pod/{pod} --for=jsonpath='{{.status.phase}}'=Failed --timeout=300s", 400)
        ended = t.cluster.status(pod)["state"]["terminated"]
        expect(ended["reason"] == "OOMKilled" and ended["exitCode"] == 137, pod, ended)


def exec_and_logs(t):
    code, out = t.vm.run(f"{KUBECTL} exec limited -- sh -c 'echo inside; exit 7'")
    expect(code == 7 and out.startswith("inside\n"), code, out)
    expect(sorted(t.cluster.kubectl("logs limited").splitlines()) == ["to stderr", "to stdout"])
    expect(t.vm(f"echo through | {KUBECTL} exec -i limited -- cat") == "through\n")


def unit_tests(t):
    """Those that make containers and control groups."""
    out = t.vm("build/unit-tests --filter '@(builtin|cgroup|cni_ipam|cni_routed)/*' --timeout 300 -j1 2>&1", 1800)
    expect("Failing: 0" in out and "Crashing: 0" in out and "Tested: 0" not in out, out)
    print("   " + out.strip().splitlines()[-1][:110])


def pytest(t, files):
    code, out = t.vm.run("cd tests/e2e && env PINTLE=/root/pintle/build/pintle TOOLS=/root/pintle/build/tools SLOWER=8 "
                         f"PYTHONDONTWRITEBYTECODE=1 python3 -m pytest -p no:cacheprovider -q {files} 2>&1", 3600)
    expect(code == 0, out[-12000:])
    print("   " + out.strip().splitlines()[-1])


def tests_of_nodes(t):
    pytest(t, "test_kubelet.py test_volumes.py test_up.py")


def tests_of_clusters(t):
    pytest(t, "test_cluster.py")


def killed_kubelet(t):
    before = t.cluster.pids()
    t.vm("kill -9 $(pgrep -f '^[^ ]*pintle kubelet')")
    t.cluster.await_ready()
    t.cluster.await_demo()
    expect(t.cluster.pids() == before, before, t.cluster.pids())
    expect(all(p["status"]["containerStatuses"][0]["restartCount"] == 0 for p in t.cluster.pods().values()))


def check_after_boot(t, before, restarts):
    """Each Pod is the one it was, and has run once more since."""
    t.cluster.await_demo()
    after = t.cluster.pods()
    expect({n: p["metadata"]["uid"] for n, p in before.items()} == {n: p["metadata"]["uid"] for n, p in after.items()},
           list(before), list(after))
    for name, pod in after.items():
        was, now = (p["status"]["containerStatuses"][0] for p in (before[name], pod))
        expect(now["restartCount"] == was["restartCount"] + restarts, name, now)
        last = now["lastState"].get("terminated", {})
        expect((last.get("exitCode"), last.get("reason")) in ((255, "Unknown"), (137, "ContainerStatusUnknown")), name, now)
        expect(last["containerID"] == was["containerID"], name, was, now)


def reboot_guest(t):
    old = t.vm("cat /proc/sys/kernel/random/boot_id").strip()
    t.vm.begin("reboot")
    new = t.vm.await_boot()
    expect(new != old, old, new)


def reboot_and_make_up(t):
    before = t.cluster.pods()
    reboot_guest(t)
    expect("1 node Ready" in t.vm("make up", 900))
    check_after_boot(t, before, 1)
    events = t.cluster.get("events --field-selector=reason=SandboxChanged")["items"]
    expect({e["involvedObject"]["name"] for e in events} >= set(before), events)
    limited, hungry = t.cluster.status("limited"), t.cluster.status("hungry")
    expect(limited["restartCount"] == 1 and "running" in limited["state"], limited)
    expect(hungry["restartCount"] == 0 and hungry["state"]["terminated"]["reason"] == "OOMKilled", hungry)
    expect(t.vm(f"{KUBECTL} logs --previous limited").count("to std") == 2)


def as_a_program_of_supervisord(t):
    t.vm("make down && make install && cp dist/supervisord.conf /etc/supervisor/conf.d/pintle.conf", 300)
    t.vm("supervisorctl update", 300)
    t.cluster.await_ready()
    t.cluster.await_demo()
    pods, t.pids = t.cluster.pods(), t.cluster.pids()
    pid = t.vm("supervisorctl pid pintle").strip()
    t.vm(f"kill -9 {pid}")
    t.cluster.until("supervisord starts it again", lambda: t.vm("supervisorctl pid pintle").strip() not in (pid, "0"))
    t.cluster.until("it is up", lambda: "RUNNING" in t.vm("supervisorctl status pintle"))
    t.cluster.await_ready()
    t.cluster.await_demo()
    expect(t.cluster.pids() == t.pids and set(t.cluster.pods()) == set(pods), "containers run on")
    t.vm("rm /etc/supervisor/conf.d/pintle.conf && supervisorctl update", 300)
    t.cluster.until("it has ended", lambda: t.vm("pgrep -cf '^[^ ]*pintle (up|kubelet|apiserver)' || true").strip() == "0")
    expect(t.cluster.pids() == t.pids, "containers run on")


def as_a_service_of_systemd(t):
    t.vm("make install && systemctl daemon-reload && systemctl enable pintle && systemctl start pintle", 600)
    t.cluster.await_ready()  # at once: it says when it is
    t.cluster.await_demo()
    pods, pids = t.cluster.pods(), t.cluster.pids()
    expect(not t.pids or pids == t.pids, "those that supervisord's cluster left")
    pid = t.vm("systemctl show -P MainPID pintle").strip()
    t.vm(f"kill -9 {pid}")
    t.cluster.until("systemd starts it again", lambda: t.vm("systemctl show -P MainPID pintle").strip() not in (pid, "0"))
    t.cluster.until("it is up", lambda: t.vm("systemctl is-active pintle").strip() == "active")
    t.cluster.await_demo()
    expect(t.cluster.pids() == pids, "containers run on")
    expect(set(t.cluster.pods()) == set(pods))


def reboot_and_systemd(t):
    before = t.cluster.pods()
    reboot_guest(t)
    t.cluster.until("systemd starts it", lambda: t.vm("systemctl is-active pintle").strip() == "active", 600)
    check_after_boot(t, before, 1)


def power_cut(t, n):
    before = t.cluster.pods()
    image = f"localhost/hello:{n % 2 + 1}"
    t.vm("mkdir -p /root/power")
    writer = t.vm.begin(f"exec python3 -u tests/vm/guest/writer.py /var/lib/pintle/admin.conf cut-{n}")
    enough = t.random.randrange(100, 400)
    while writer.out.count("\n") < enough:
        expect(writer.step(300), writer.out)
    # In the midst of it an image comes anew and containers start; the load is acknowledged, then the power goes.
    t.vm(f"build/pintle image rm {image} >/dev/null; build/pintle image load build/demo/hello-{n % 2 + 1}.tar")
    t.cluster.kubectl(f"run cut-{n} --image={image} --restart=Never -- /bin/sh -c 'sleep 100000'")
    until = time.monotonic() + t.random.random() * 3
    while time.monotonic() < until:
        expect(writer.step(300), writer.out)
    lost = t.vm.cut()
    said = {}
    for line in writer.out.splitlines()[:-1] if not writer.out.endswith("\n") else writer.out.splitlines():
        name, _, value = line.partition(" ")
        said.setdefault(name, []).append(value)
    t.vm.start()
    t.cluster.until("the cluster is up", lambda: t.vm("systemctl is-active pintle").strip() == "active", 600)
    have = {c["metadata"]["name"]: c["data"]["value"] for c in t.cluster.get("configmaps")["items"] if "value" in c["data"]}
    for name, values in said.items():
        if values[-1] == "?":  # under way when it went: as it was before, or done
            expect(len(values) == 1 or name in have or "-" not in values[:-1], name, values, have.get(name))
        else:
            expect(have.get(name, "-") == values[-1], name, values, have.get(name))
    unasked = {name for name in have if name.startswith(f"cut-{n}-")} - set(said)
    expect(len(unasked) <= 4, unasked)  # what was asked for, and the line of it was lost with the power
    check_after_boot(t, before, 1)
    t.cluster.kubectl(f"wait pod/cut-{n} --for=jsonpath='{{.status.phase}}' --timeout=300s", 400)
    t.cluster.kubectl(f"run after-{n} --image={image} --restart=Never -- python3 -c 'import json; print(json.dumps(42))'")
    t.cluster.kubectl(f"wait pod/after-{n} --for=jsonpath='{{.status.phase}}'=Succeeded --timeout=300s", 400)
    expect(t.cluster.kubectl(f"logs after-{n}") == "42\n")
    expect("clean" in t.vm("tune2fs -l /dev/vda | grep 'Filesystem state'"))
    print(f"   {len(said)} objects; {lost} blocks of the disk's cache lost")


def power_cut_1(t):
    power_cut(t, 1)


def power_cut_2(t):
    power_cut(t, 2)


def power_cut_3(t):
    power_cut(t, 3)


def make_down(t):
    t.vm("! systemctl cat pintle >/dev/null 2>&1 || systemctl disable --now pintle", 300)
    t.vm("make down", 300)
    left = set(t.vm(CENSUS).splitlines()) - t.before
    expect(not left, *sorted(left))
    expect(t.vm("ls -A /var/lib/pintle").strip(), "the state stays")
    t.vm("make down ARGS=--purge")
    expect(t.vm.run("ls -d /var/lib/pintle")[0] != 0, "no state stays")


def power_cuts_while_starting(t):
    """Certificates, kubeconfigs and a store that are only half there must not keep the next start from its work."""
    t.vm("make down ARGS=--purge", 300)
    for _ in range(3):
        t.vm.begin("make up")
        t.cluster.until("it has begun", lambda: t.vm("ls /var/lib/pintle || true").strip(), 300)
        time.sleep(t.random.random() * 4)
        t.vm.cut()
        t.vm.start()
    out = t.vm("make up", 900)
    expect("1 node Ready" in out, out)
    t.vm("make down ARGS=--purge", 300)
    left = set(t.vm(CENSUS).splitlines()) - t.before
    expect(not left, *sorted(left))


def a_kernel_that_lacks_something(t):
    t.vm.cut()
    t.vm.start("cgroup_disable=memory")
    code, out = t.vm.run("build/pintle up --detach", 120)
    expect(code == 1 and len(out.splitlines()) == 1 and "control groups without 'memory'" in out, code, out)
    left = set(t.vm(CENSUS).splitlines()) - t.before
    expect(not left, *sorted(left))


STEPS = [boot, nothing_is_missing, make_up, a_second_up_is_refused, make_demo, the_node_port_from_outside, limits,
         killed_for_memory, exec_and_logs, unit_tests, tests_of_nodes, tests_of_clusters, killed_kubelet, reboot_and_make_up,
         as_a_program_of_supervisord, as_a_service_of_systemd, reboot_and_systemd, power_cut_1, power_cut_2, power_cut_3,
         make_down, power_cuts_while_starting, a_kernel_that_lacks_something]
VITAL = [boot, make_up, make_demo]  # nothing can be said without them


class Test:
    def __init__(self, vm, port, seed):
        self.vm, self.port = vm, port
        self.cluster = Cluster(vm)
        self.random = random.Random(seed)
        self.before, self.pids = set(), set()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_steps(t, steps):
    passed = failed = 0
    for i, step in enumerate(steps):
        began = time.monotonic()
        try:
            step(t)
        except Exception as e:
            failed += 1
            print(f"FAILED {step.__name__} ({time.monotonic() - began:.1f} s): {e}", flush=True)
            if not isinstance(e, Failed):
                traceback.print_exc()
            if t.vm.is_off() and step not in VITAL:
                t.vm.start()
            if step in VITAL:
                failed += len(steps) - i - 1
                print("the steps after it need it: not run")
                break
        else:
            passed += 1
            print(f"ok {step.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed


def show_logs(vm):
    try:
        print(vm.run("tail -n 60 /var/log/pintle/pintle.log; journalctl -u pintle --no-pager -n 60; dmesg | tail -n 20",
                     60)[1])
    except (Failed, OSError, AttributeError) as e:
        print(f"no logs: {e}")


def main():
    p = argparse.ArgumentParser(prog="tests/vm/run")
    p.add_argument("--build", default="build")
    p.add_argument("--only", nargs="+", help="these steps, and the vital ones")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of chance")
    p.add_argument("--cpus", type=int, default=2)
    p.add_argument("--memory", type=int, default=2560, help="MiB")
    p.add_argument("--reuse", action="store_true", help="the disk as the last run left it")
    a = p.parse_args()
    out = Path(a.build).absolute() / "vm"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of what cleans up
    if not a.reuse:
        began = time.monotonic()
        subprocess.run([ROOT / "scripts/demo-image.sh", Path(a.build) / "demo", "1", "2"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([ROOT / "scripts/kubectl.sh", "--install"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([ROOT / "tests/vm/image.sh", a.build, out], check=True, stdout=subprocess.DEVNULL)
        print(f"the disk took {time.monotonic() - began:.0f} s; seed {a.seed}", flush=True)
    port = free_port()
    vm = Vm(out, a.cpus, a.memory, a.seed, (port, NODE_PORT))
    try:
        failed = run_steps(Test(vm, port, a.seed),
                           [s for s in STEPS if not a.only or s.__name__ in a.only or s in VITAL])
        if failed:
            show_logs(vm)
    finally:
        vm.close()
    if not failed and not a.reuse:
        (out / "disk.img").unlink()
    return 1 if failed else 0


sys.exit(main())
