"""Fields of a Pod's spec that a node has to live up to, on real containers, one test a field; and what `kubectl describe`
makes of it all."""

import json
import os
import re
import time

import pytest

from cluster import until
from harness import KUBECTLS, Kubectl
from node import IMAGE, NODE, NODE_IP, await_object
from one_node import *  # noqa: F403
from one_node import PODS, box_of, needs_root

pytestmark = needs_root

FOREVER = "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"


@pytest.fixture
def kubectl(server, workdir):
    return Kubectl(max(KUBECTLS), server, workdir)


def is_over(o):
    return o and o.get("status", {}).get("phase") in ("Succeeded", "Failed")


def main(script, **more):
    return {"name": "main", "image": IMAGE, "command": ["sh", "-c", script], **more}


def said(raw, name, container="main"):
    return raw.get(f"{PODS}/{name}/log?container={container}").body.decode()


def state(o, name="main", key="containerStatuses"):
    return next(c for c in o["status"][key] if c["name"] == name)


# --- hooks ---

@pytest.fixture(scope="module")
def listener(raw, node):
    """A Pod that writes down what is asked of it by HTTP."""
    o = box_of(raw, "listener", {"main": """mkdir -p /www/cgi-bin
cat > /www/cgi-bin/hook <<'END'
#!/bin/sh
echo "$REQUEST_URI $HTTP_X_WHO" >> /asked
printf 'Content-Type: text/plain\\r\\n\\r\\nok'
END
chmod +x /www/cgi-bin/hook
httpd -p 8080 -h /www
echo ready; """ + FOREVER})
    until("it listens", lambda: "ready" in said(raw, "listener"))
    yield o
    raw.delete(f"{PODS}/listener", {"gracePeriodSeconds": 0})


def test_hooks_by_http(raw, names, listener, kubectl):
    host = listener["status"]["podIP"]
    get = {"host": host, "port": 8080, "httpHeaders": [{"name": "X-Who", "value": "me"}]}
    name = names()
    box_of(raw, name, [main(FOREVER, lifecycle={
        "postStart": {"httpGet": {**get, "path": "/cgi-bin/hook?post"}},
        "preStop": {"httpGet": {**get, "path": "/cgi-bin/hook?pre"}}})])
    kubectl("delete", "pod", name, "--grace-period=10")
    assert kubectl("exec", "listener", "--", "cat", "/asked") == "/cgi-bin/hook?post me\n/cgi-bin/hook?pre me\n"


def test_a_hook_that_sleeps(raw, names, kubectl):
    """preStop's sleep comes before TERM; its time is part of the grace."""
    name = names()
    box_of(raw, name, [main(FOREVER, lifecycle={"preStop": {"sleep": {"seconds": 2}}})], terminationGracePeriodSeconds=30)
    begun = time.monotonic()
    kubectl("delete", "pod", name)
    assert time.monotonic() - begun >= 2


def test_a_hook_that_fails(raw, names, kubectl):
    name = names()
    box_of(raw, name, [main(FOREVER, lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "exit 9"]}}})],
           lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and s[0]["restartCount"] >= 1, restartPolicy="Always")
    until("an Event tells of it", lambda: "FailedPostStartHook" in kubectl("get", "events", "--field-selector",
                                                                             f"involvedObject.name={name}"))


def test_a_hook_that_is_too_slow_is_cut(raw, names, kubectl):
    name = names()
    box_of(raw, name, [main("trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done",
                            lifecycle={"preStop": {"exec": {"command": ["sleep", "1000"]}}})], terminationGracePeriodSeconds=2)
    kubectl("delete", "pod", name)


def test_own_signal(raw, node, names, kubectl):
    """The image's STOPSIGNAL is sent in place of TERM; lifecycle.stopSignal is behind a gate that is off in 1.36."""
    name = names()
    node.load("signals:1", config={"StopSignal": "SIGUSR1"})
    o = box_of(raw, name, [{**main("trap 'echo usr1; exit 3' USR1; trap 'echo term; exit 4' TERM; echo up;"
                                   "while true; do sleep 1 & wait $!; done", lifecycle={"stopSignal": "SIGUSR2"}),
                            "image": "signals:1", "imagePullPolicy": "Never"}],
               os={"name": "linux"}, terminationGracePeriodSeconds=20)
    assert "stopSignal" not in o["spec"]["containers"][0].get("lifecycle", {})
    with kubectl.follow("logs", "-f", name) as f:
        f.until("^up$")
        kubectl("delete", "pod", name, "--wait=false")
        f.until("^usr1$")


# --- sidecars and init containers ---

def test_a_sidecar_lives_beside_and_ends_last(raw, names):
    name = names()
    o = box_of(raw, name, [main("test -e /v/side && echo ok; exit 0", volumeMounts=[{"name": "v", "mountPath": "/v"}])], is_over,
               volumes=[{"name": "v", "emptyDir": {}}],
               initContainers=[{**main("touch /v/side; " + FOREVER, volumeMounts=[{"name": "v", "mountPath": "/v"}]), "name": "side",
                                "restartPolicy": "Always", "startupProbe": {"exec": {"command": ["test", "-e", "/v/side"]},
                                                                            "periodSeconds": 1}}])
    assert o["status"]["phase"] == "Succeeded" and said(raw, name) == "ok\n"
    side = state(o, "side", "initContainerStatuses")
    assert "terminated" in side["state"] and side["state"]["terminated"]["exitCode"] == 0


def test_a_sidecar_is_restarted_whatever_the_policy(raw, names):
    name = names()
    o = box_of(raw, name, [main(FOREVER)], lambda o: o and (s := o.get("status", {}).get("initContainerStatuses")) and
               s[0]["restartCount"] >= 1,
               initContainers=[{**main("sleep 1; exit 1"), "name": "side", "restartPolicy": "Always"}])
    assert state(o, "side", "initContainerStatuses")["lastState"]["terminated"]["exitCode"] == 1


# --- ephemeral containers ---

def test_kubectl_debug(raw, names, kubectl):
    name = names()
    box_of(raw, name, [main("echo $$ > /marker; " + FOREVER)])
    done = kubectl.run("debug", name, f"--image={IMAGE}", "--target=main", "-c", "dbg", "--", "sh", "-c", "ps; cat /proc/1/root/marker")
    assert done.returncode == 0, done.stderr
    o = await_object(raw, f"{PODS}/{name}", lambda o: (s := o["status"].get("ephemeralContainerStatuses")) and
                     "terminated" in s[0]["state"])
    assert state(o, "dbg", "ephemeralContainerStatuses")["state"]["terminated"]["exitCode"] == 0
    assert o["status"]["phase"] == "Running" and "trap" in said(raw, name, "dbg")
    assert "dbg" in kubectl("describe", "pod", name)


# --- names and addresses ---

@pytest.mark.parametrize("policy, wanted", [("Default", None), ("None", "nameserver 1.2.3.4\nsearch a.example\noptions x:3 y\n")])
def test_dns_policies(raw, names, policy, wanted):
    name = names(policy.lower())
    config = {"dnsConfig": {"nameservers": ["1.2.3.4"], "searches": ["a.example"],
                            "options": [{"name": "x", "value": "3"}, {"name": "y"}]}} if policy == "None" else {}
    box_of(raw, name, {"main": "cat /etc/resolv.conf"}, is_over, dnsPolicy=policy, **config)
    got = said(raw, name)
    if wanted:
        assert got == wanted
    else:
        assert "cluster.local" not in got and "10.96.0.10" not in got


def test_dns_on_the_nodes_network(raw, names):
    first, second = names("-plain"), names("-first")
    box_of(raw, first, {"main": "cat /etc/resolv.conf"}, is_over, hostNetwork=True)
    box_of(raw, second, {"main": "cat /etc/resolv.conf"}, is_over, hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet")
    assert "10.96.0.10" not in said(raw, first)
    assert "nameserver 10.96.0.10" in said(raw, second)


def test_host_names(raw, names):
    name = names()
    box_of(raw, name, {"main": "hostname; hostname -f"}, is_over, hostname="other", subdomain="sub", setHostnameAsFQDN=True)
    assert said(raw, name).splitlines() == ["other.sub.default.svc.cluster.local"] * 2
    plain = names("-plain")
    box_of(raw, plain, {"main": "hostname; cat /etc/hostname"}, is_over, hostname="other")
    assert said(raw, plain).splitlines()[0] == "other"
    override = names("-override")
    box_of(raw, override, {"main": "hostname"}, is_over, hostnameOverride="what-i.want")
    assert said(raw, override) == "what-i.want\n"


def test_addresses_of_pod_and_node(raw, names):
    name = names()
    o = box_of(raw, name, [main("echo $IP $IPS $HOST $HOSTS; ip -4 addr show eth0", env=[
        {"name": n, "valueFrom": {"fieldRef": {"fieldPath": f}}} for n, f in (
            ("IP", "status.podIP"), ("IPS", "status.podIPs"), ("HOST", "status.hostIP"), ("HOSTS", "status.hostIPs"))])], is_over)
    s = o["status"]
    assert s["podIPs"] == [{"ip": s["podIP"]}] and s["hostIPs"] == [{"ip": NODE_IP}] and s["hostIP"] == NODE_IP
    got = said(raw, name)
    assert got.splitlines()[0] == f"{s['podIP']} {s['podIP']} {NODE_IP} {NODE_IP}" and f"inet {s['podIP']}/" in got


# --- security ---

def test_run_as_non_root(raw, names):
    name = names()
    o = box_of(raw, name, [main("true", securityContext={"runAsNonRoot": True})],
               lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and
               s[0]["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError")
    assert "container has runAsNonRoot and image will run as root" in state(o)["state"]["waiting"]["message"]
    good = names("-good")
    o = box_of(raw, good, [main("id -u; id -g; id -G", securityContext={"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 3000})],
               is_over, securityContext={"supplementalGroups": [4000], "fsGroup": 2000})
    assert said(raw, good).splitlines() == ["1000", "3000", "3000 2000 4000"] or \
        set(said(raw, good).splitlines()[2].split()) == {"3000", "2000", "4000"}
    user = state(o)["user"]["linux"]
    assert (user["uid"], user["gid"]) == (1000, 3000) and sorted(user["supplementalGroups"]) == [2000, 3000, 4000]
    assert raw.get(f"/api/v1/nodes/{NODE}").json()["status"]["features"] == {"supplementalGroupsPolicy": True}


def test_read_only_root(raw, names):
    name = names()
    box_of(raw, name, [main("touch /x 2>&1; touch /v/x && echo wrote", securityContext={"readOnlyRootFilesystem": True},
                            volumeMounts=[{"name": "v", "mountPath": "/v"}])], is_over, volumes=[{"name": "v", "emptyDir": {}}])
    assert "Read-only file system" in said(raw, name) and said(raw, name).endswith("wrote\n")


def test_capabilities_and_privileges(raw, names):
    dropped, added, privileged = names("-dropped"), names("-added"), names("-privileged")
    box_of(raw, dropped, [main("grep CapEff /proc/self/status", securityContext={"capabilities": {"drop": ["ALL"]}})], is_over)
    assert said(raw, dropped).split()[1] == "0" * 16
    box_of(raw, added, [main("ip link add d0 type veth peer name d1 && echo made; grep NoNewPrivs /proc/self/status",
                             securityContext={"capabilities": {"add": ["NET_ADMIN"]}, "allowPrivilegeEscalation": False})], is_over)
    assert "made" in said(raw, added) and "NoNewPrivs:\t1" in said(raw, added)
    box_of(raw, privileged, [main("ls /dev | wc -l; mount -t tmpfs x /mnt 2>&1 || mkdir /mnt && mount -t tmpfs x /mnt && echo mounted",
                                  securityContext={"privileged": True})], is_over)
    assert "mounted" in said(raw, privileged)


def test_nothing_of_the_node_shows_inside(raw, names):
    """No descriptor is handed down, the working directory is the image's, what would name or change the node is masked."""
    name = names()
    box_of(raw, name, [main("ls /proc/self/fd | tr '\\n' ' '; echo; readlink /proc/self/cwd; "
                            "cat /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug 2>/dev/null | head -c 9 | wc -c; "
                            "for f in kernel/sysrq kernel/core_pattern vm/drop_caches; do echo 1 >/proc/sys/$f && echo $f; done")], is_over)
    out = said(raw, name).splitlines()
    assert out[1:3] == ["/", "0"], out
    assert set(out[0].split()) <= {"0", "1", "2", "3"}, out  # 3 is the listing itself
    assert not any(line.startswith(("kernel/", "vm/")) for line in out), out


def test_sysctls(raw, names):
    name = names()
    box_of(raw, name, {"main": "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start"}, is_over,
           securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"},
                                        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]})
    assert said(raw, name) == "1\n80\n"
    bad = names("-bad")
    o = box_of(raw, bad, {"main": "true"}, is_over, securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]})
    assert o["status"]["phase"] == "Failed" and o["status"]["reason"] == "SysctlForbidden"


def test_shared_processes_and_host_namespaces(raw, names):
    shared, host = names("-shared"), names("-host")
    box_of(raw, shared, [main("sleep 1; ps | grep -c '[s]leep 4242'"), {**main("sleep 4242"), "name": "other"}],
           lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and any("terminated" in c["state"] for c in s),
           shareProcessNamespace=True)
    assert said(raw, shared).strip() != "0"
    box_of(raw, host, {"main": "cat /proc/1/comm; readlink /proc/self/ns/ipc"}, is_over, hostPID=True, hostIPC=True)
    assert said(raw, host).splitlines()[1] == os.readlink("/proc/self/ns/ipc")


# --- images ---

@pytest.mark.parametrize("policy, reason", [("Never", "ErrImageNeverPull"), ("IfNotPresent", "ErrImagePull|ImagePullBackOff"),
                                            ("Always", "ErrImagePull|ImagePullBackOff")])
def test_pull_policies(raw, names, policy, reason):
    image = IMAGE if policy == "Always" else "127.0.0.1:9/nobody/nothing:1"
    box_of(raw, names(policy.lower()), [{**main("true"), "image": image if policy != "Always" else "127.0.0.1:9/nobody/nothing:1",
                                         "imagePullPolicy": policy}],
           lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and
           s[0]["state"].get("waiting", {}).get("reason") in reason.split("|"))


# --- time ---

def test_grace_of_a_probe(raw, names):
    """A probe's own terminationGracePeriodSeconds counts when it kills, not the Pod's."""
    name = names()
    begun = time.monotonic()
    box_of(raw, name, [main("trap '' TERM; while true; do sleep 1; done", livenessProbe={
        "exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 1})],
        lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and s[0]["restartCount"] >= 1,
        restartPolicy="Always", terminationGracePeriodSeconds=500)
    assert time.monotonic() - begun < 300


def test_active_deadline(raw, names):
    name = names()
    o = box_of(raw, name, {"main": FOREVER}, is_over, activeDeadlineSeconds=1)
    assert (o["status"]["phase"], o["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert o["status"]["message"] == "Pod was active on the node longer than the specified deadline"


# --- quality of service ---

@pytest.mark.parametrize("resources, qos", [
    ({}, "BestEffort"), ({"requests": {"cpu": "10m"}}, "Burstable"),
    ({"limits": {"cpu": "100m", "memory": "50Mi"}}, "Guaranteed")])
def test_quality_of_service(raw, node, names, resources, qos):
    name = names(qos.lower())
    o = box_of(raw, name, [main("cat /proc/self/oom_score_adj; " + FOREVER, resources=resources)])
    assert o["status"]["qosClass"] == qos
    until("it has said so", lambda: said(raw, name))
    adj = int(said(raw, name))
    assert adj == 1000 if qos == "BestEffort" else 2 < adj < 1000 if qos == "Burstable" else adj in (-997, 0)


def test_termination_messages(raw, names):
    both = names("-both")
    o = box_of(raw, both, [main("echo log; printf file > /dev/termination-log; exit 1", terminationMessagePolicy="FallbackToLogsOnError")],
               is_over)
    assert state(o)["state"]["terminated"]["message"] == "file"
    fine = names("-fine")
    o = box_of(raw, fine, [main("echo log", terminationMessagePolicy="FallbackToLogsOnError")], is_over)
    assert "message" not in state(o)["state"]["terminated"]
    long, own = names("-long"), names("-own")
    o = box_of(raw, long, [main("head -c 10000 /dev/zero | tr '\\0' x > /dev/termination-log")], is_over)
    assert state(o)["state"]["terminated"]["message"] == "x" * 4096
    o = box_of(raw, own, [main("printf mine > /tmp/here", terminationMessagePath="/tmp/here")], is_over)
    assert state(o)["state"]["terminated"]["message"] == "mine"
    lines = names("-lines")
    o = box_of(raw, lines, [main("for i in $(seq 200); do echo line $i; done; exit 1", terminationMessagePolicy="FallbackToLogsOnError")],
               is_over)
    got = state(o)["state"]["terminated"]["message"].splitlines()
    assert got == [f"line {i}" for i in range(121, 201)]  # 80 lines, 2048 bytes at most


# --- kubectl describe ---

def test_describe_node(raw, node, kubectl):
    text = kubectl("describe", "node", NODE)
    for part in ("Ready            True", "DiskPressure     False", "PIDPressure      False", "InternalIP:  " + NODE_IP,
                 "Hostname:    " + NODE, "PodCIDR:", "Kubelet Version:", "Container Runtime Version:  builtin://",
                 "Allocated resources:", "Non-terminated Pods:", "cpu:", "ephemeral-storage:", "RenewTime:", "Operating System:",
                 "HolderIdentity:  " + NODE):
        assert part in text, (part, text)
    assert "<unknown>" not in text and "<none>" in text, text


def test_describe_pod(raw, names, kubectl):
    name = names()
    box_of(raw, name, [main("echo x; " + FOREVER, readinessProbe={"exec": {"command": ["true"]}, "periodSeconds": 1},
                            env=[{"name": "A", "value": "b"}], resources={"limits": {"memory": "30Mi"}})],
           lambda o: o and "True" in [c["status"] for c in o.get("status", {}).get("conditions", []) if c["type"] == "Ready"])
    until("Events are there", lambda: "Started" in kubectl("describe", "pod", name))
    text = kubectl("describe", "pod", name)
    for kind in ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"):
        assert re.search(rf"^  {kind} +True", text, re.M), text
    for part in (f" {NODE}/{NODE_IP}", "Running", "Container ID:", "Image:         " + IMAGE,
                 "Image ID:", "State:          Running", "Ready:          True", "Restart Count:  0", "30Mi",
                 "QoS Class:", "Burstable", "Created", "Started", "Pulled"):
        assert part in text, (part, text)


def test_the_node_names_its_images(raw, node):
    o = raw.get(f"/api/v1/nodes/{NODE}").json()
    assert any(n.endswith(IMAGE) for image in o["status"]["images"] for n in image["names"]), json.dumps(o["status"]["images"])
    assert all(image["sizeBytes"] > 0 for image in o["status"]["images"])
