"""A cluster as its users see it: kubectl and real containers on two nodes."""

import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from cluster import read, until
from harness import SLOWER, Kubectl

WAIT = f"--timeout={30 * SLOWER}s"


def fetch(url, timeout=5):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as answer:
        return answer.read().decode()


def deploy(kube, name="web", image="web:1", replicas=2):
    kube("create", "deployment", name, f"--image={image}", f"--replicas={replicas}", "--port=8080")
    kube("rollout", "status", f"deployment/{name}", WAIT)


def sleeper(name, command="sleep 1000", node=None, grace=1, **spec):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
           "spec": {"terminationGracePeriodSeconds": grace, "containers": [
               {"name": "c", "image": "busybox:1", "command": ["sh", "-c", command]}], **spec}}
    if node:
        pod["spec"]["nodeName"] = node
    return pod


def start(kube, pod):
    kube("apply", "-f", "-", stdin=pod)
    kube("wait", f"pod/{pod['metadata']['name']}", "--for=condition=Ready", WAIT)
    return kube.json("get", "pod", pod["metadata"]["name"])


def finish(kube, name, command, **kw):
    """Runs a command in a Pod to its end; what it printed."""
    kube("apply", "-f", "-", stdin=sleeper(name, command, restartPolicy="Never", **kw))
    kube("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", WAIT)
    return kube("logs", name)


def statuses(kube, name):
    done = kube.run("get", "pod", name, "-o", "json")
    return json.loads(done.stdout)["status"].get("containerStatuses", []) if done.returncode == 0 else []


def state_of(kube, name, want):
    """Until the first container waits for that reason; the message."""
    def look():
        s = statuses(kube, name)
        waiting = s and s[0]["state"].get("waiting", {})
        return waiting and waiting.get("reason") == want and (waiting.get("message") or " ")
    return until(f"{name} is in {want}", look, timeout=40)


# --- looking ---


def test_nodes_are_ready(kube):
    lines = kube("get", "nodes", "-o", "wide", "--no-headers").splitlines()
    assert [line.split()[:2] for line in lines] == [["node-1", "Ready"], ["node-2", "Ready"]]
    addresses = {line.split()[5] for line in lines}
    assert len(addresses) == 2
    cidrs = {n["spec"]["podCIDR"] for n in kube.json("get", "nodes")["items"]}
    assert len(cidrs) == 2
    assert kube("get", "pods", "-A") is not None


def test_watching_a_pod_come_and_go(kube):
    with kube.follow("get", "pods", "-w", "--no-headers") as watch:
        start(kube, sleeper("a"))
        lines = watch.until(r"^a .* 1/1 +Running|^a +1/1 +Running")
        assert any("Pending" in line or "ContainerCreating" in line for line in lines), lines
        kube("delete", "pod", "a", WAIT)
        watch.until(r"^a +[01]/1 +(Terminating|Error|Completed)")


def test_events_tell_what_happened(kube):
    start(kube, sleeper("a"))
    reasons = {e["reason"] for e in kube.json("get", "events", "--field-selector=involvedObject.name=a")["items"]}
    assert {"Scheduled", "Pulled", "Created", "Started"} <= reasons
    assert "Started" in kube("events", "--for=pod/a")


# --- deployments ---


def test_a_deployment_through_its_life(kube):
    deploy(kube)
    assert kube.json("get", "deployment", "web")["status"]["readyReplicas"] == 2
    kube("scale", "deployment/web", "--replicas=4")
    kube("rollout", "status", "deployment/web", WAIT)
    pods = kube.json("get", "pods", "-l", "app=web")["items"]
    assert len(pods) == 4 and {p["spec"]["nodeName"] for p in pods} == {"node-1", "node-2"}

    kube("set", "image", "deployment/web", "web=web:2")
    kube("rollout", "status", "deployment/web", WAIT)
    images = {c["image"] for p in kube.json("get", "pods", "-l", "app=web")["items"]
              if not p["metadata"].get("deletionTimestamp") for c in p["spec"]["containers"]}
    assert images == {"web:2"}
    history = kube("rollout", "history", "deployment/web")
    assert re.search(r"^1 ", history, re.M) and re.search(r"^2 ", history, re.M)

    kube("rollout", "undo", "deployment/web")
    kube("rollout", "status", "deployment/web", WAIT)
    assert kube.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
    before = set(kube("get", "pods", "-l", "app=web", "-o", "name").split())
    kube("rollout", "restart", "deployment/web")
    kube("rollout", "status", "deployment/web", WAIT)
    until("all Pods are new", lambda: not before & set(kube("get", "pods", "-l", "app=web", "-o", "name").split()),
          timeout=60)
    kube("delete", "deployment", "web")
    until("no Pod is left", lambda: kube("get", "pods", "-o", "name") == "", timeout=60)


def test_apply_changes_what_is_there(kube):
    pod = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": {
            "metadata": {"labels": {"app": "d"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "web", "image": "web:1"}]}}}}
    assert "created" in kube("apply", "-f", "-", stdin=pod)
    kube("rollout", "status", "deployment/d", WAIT)
    pod["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    assert "configured" in kube("apply", "-f", "-", stdin=pod)
    kube("rollout", "status", "deployment/d", WAIT)
    assert "unchanged" in kube("apply", "-f", "-", stdin=pod)


def test_a_deleted_pod_is_replaced_and_a_dead_container_restarted(kube):
    deploy(kube, replicas=1)
    old = kube("get", "pods", "-o", "name").strip()
    kube("delete", old, "--grace-period=1", WAIT)
    kube("rollout", "status", "deployment/web", WAIT)
    new = kube("get", "pods", "-o", "name").strip()
    assert new != old
    name = new.partition("/")[2]
    pids = [pid for pid, line in kube.cluster.processes().items() if line.startswith("sh -c trap")]
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGKILL)
    until("it was restarted", lambda: statuses(kube, name)[0]["restartCount"] == 1
          and "running" in statuses(kube, name)[0]["state"])
    last = statuses(kube, name)[0]["lastState"]["terminated"]
    assert last["exitCode"] == 137
    assert kube("get", "pods", "-o", "name").strip() == new


def test_termination_is_asked_for_then_enforced(kube):
    start(kube, sleeper("polite", "trap 'exit 0' TERM; while :; do sleep 0.1; done", grace=30))
    start(kube, sleeper("stubborn", "trap '' TERM; while :; do sleep 0.1; done", grace=3))
    began = time.monotonic()
    kube("delete", "pod", "polite", WAIT)
    assert time.monotonic() - began < 10
    began = time.monotonic()
    kube("delete", "pod", "stubborn", WAIT)
    assert 2.5 < time.monotonic() - began < 15
    start(kube, sleeper("forced", "trap '' TERM; while :; do sleep 0.1; done", grace=60))
    done = kube.run("delete", "pod", "forced", "--force", "--grace-period=0", WAIT)
    assert done.returncode == 0, done


# --- services ---


def test_a_service_reaches_all_replicas_from_everywhere(kube):
    deploy(kube, replicas=3)
    kube("expose", "deployment/web", "--port=80", "--target-port=8080")
    kube("expose", "deployment/web", "--name=node", "--port=80", "--target-port=8080", "--type=NodePort")
    pods = set(kube("get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split())
    address = kube.json("get", "service", "web")["spec"]["clusterIP"]
    port = kube.json("get", "service", "node")["spec"]["ports"][0]["nodePort"]
    nodes = [n["status"]["addresses"][0]["address"] for n in kube.json("get", "nodes")["items"]]

    def all_seen(url):
        seen = set()
        until(f"{url} answers for all", lambda: seen.add(fetch(f"{url}/cgi-bin/who").strip()) or seen == pods)

    until("the Service is in the kernel", lambda: not _fails(f"http://{address}/"))
    all_seen(f"http://{address}")
    for node in nodes:
        all_seen(f"http://{node}:{port}")
    for node in ("node-1", "node-2"):
        said = finish(kube, f"ask-{node}", "for i in $(seq 40); do wget -qO- http://web/cgi-bin/who || echo failed; done",
                      node=node)
        assert set(said.split()) == pods


def _fails(url):
    try:
        fetch(url)
        return False
    except (urllib.error.URLError, OSError):
        return True


def test_names_of_services_resolve_in_pods(kube):
    deploy(kube, replicas=1)
    kube("expose", "deployment/web", "--port=80", "--target-port=8080")
    address = kube.json("get", "service", "web")["spec"]["clusterIP"]
    for i, name in enumerate(("web", f"web.{kube.namespace}", f"web.{kube.namespace}.svc.cluster.local")):
        said = finish(kube, f"ask-{i}", f"wget -qO- http://{name}/ && nslookup web.{kube.namespace}.svc.cluster.local")
        assert said.startswith("web 1\n") and address in said
    assert "kubernetes.default.svc.cluster.local" in finish(
        kube, "ask-kubernetes", "nslookup kubernetes.default.svc.cluster.local")


def test_a_service_without_endpoints_refuses(kube):
    kube("create", "service", "clusterip", "nobody", "--tcp=80:8080")
    said = finish(kube, "ask", "timeout 5 wget -qO- http://nobody/ 2>&1 || true")
    assert "refused" in said, said


def test_a_pod_reaches_itself_and_its_neighbour_through_a_service(kube):
    deploy(kube, replicas=1)
    kube("expose", "deployment/web", "--port=80", "--target-port=8080")
    pod = kube("get", "pods", "-o", "name").strip()
    node = kube.json("get", pod)["spec"]["nodeName"]
    assert finish(kube, "neighbour", "timeout 5 wget -qO- http://web/", node=node) == "web 1\n"
    assert kube("exec", pod, "--", "timeout", "5", "wget", "-qO-", "http://web/") == "web 1\n"


def test_pods_of_different_nodes_see_each_others_addresses(kube):
    a = start(kube, sleeper("a", "httpd -f -p 8080 -h /", node="node-1"))
    said = finish(kube, "b", f"ip -4 addr show eth0; timeout 5 wget -qO- http://{a['status']['podIP']}:8080/etc/group",
                  node="node-2")
    assert "root:x:0:" in said


def test_kubernetes_is_reachable_from_every_node(kube):
    for node in ("node-1", "node-2"):
        said = finish(kube, f"ask-{node}", "nc -w 5 kubernetes.default 443 </dev/null && echo open; "
                      "ls /var/run/secrets/kubernetes.io/serviceaccount", node=node)
        assert "open" in said and "token" in said and "ca.crt" in said and "namespace" in said


def test_the_service_answers_while_the_api_server_is_down(kube):
    deploy(kube)
    kube("expose", "deployment/web", "--port=80", "--target-port=8080")
    address = kube.json("get", "service", "web")["spec"]["clusterIP"]
    until("the Service is in the kernel", lambda: not _fails(f"http://{address}/"))
    cluster = kube.cluster
    pid = cluster.components()["apiserver"]
    cluster.process.send_signal(signal.SIGSTOP)  # so that nobody starts it again
    try:
        os.kill(pid, signal.SIGKILL)
        assert kube.run("get", "nodes").returncode != 0
        for _ in range(50):
            assert fetch(f"http://{address}/") == "web 1\n"
    finally:
        cluster.process.send_signal(signal.SIGCONT)
    cluster.await_component("apiserver", pid)
    until("the API answers", lambda: kube.run("get", "nodes").returncode == 0)
    kube("scale", "deployment/web", "--replicas=3")
    kube("rollout", "status", "deployment/web", WAIT)


# --- identity ---


def list_pods(kube, pod):
    """What the API says to the token that the Pod holds, as a client in the Pod would ask."""
    directory = "/var/run/secrets/kubernetes.io/serviceaccount"
    token, ca = (kube("exec", pod, "--", "cat", f"{directory}/{name}") for name in ("token", "ca.crt"))
    request = urllib.request.Request(f"{kube.cluster.url}/api/v1/namespaces/{kube.namespace}/pods",
                                     headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=ca)))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def test_a_pods_token_may_do_what_its_role_says(kube):
    kube("create", "serviceaccount", "reader")
    kube("create", "role", "reader", "--verb=list", "--resource=pods")
    kube("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kube.namespace}:reader")
    start(kube, sleeper("may", serviceAccountName="reader"))
    start(kube, sleeper("may-not"))
    code, answer = list_pods(kube, "may")
    assert code == 200 and {p["metadata"]["name"] for p in answer["items"]} == {"may", "may-not"}
    code, answer = list_pods(kube, "may-not")
    assert code == 403 and answer["reason"] == "Forbidden"


# --- nodes ---


def test_static_pods_of_every_node(kube):
    """A manifest a node: each runs its own, the API shows it, and what is done to the picture is not done to the Pod."""
    cluster = kube.cluster
    nodes = cluster.node_names()
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fixed", "namespace": kube.namespace, "labels": {"app": "fixed"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [
                    {"name": "main", "image": "busybox:1", "command": ["sh", "-c", "echo here; trap 'exit 0' TERM; "
                                                                                   "while true; do sleep 1 & wait $!; done"]}]}}
    paths = [cluster.root / "nodes" / n / "manifests" / f"{kube.namespace}.json" for n in nodes]
    try:
        for path in paths:
            path.write_text(json.dumps(manifest))
        for n in nodes:
            until(f"{n} shows its Pod", lambda n=n: kube.run("get", "pod", f"fixed-{n}").returncode == 0)
            kube("wait", "--for=condition=Ready", "pod", f"fixed-{n}", "--timeout=60s")
            assert kube("logs", f"fixed-{n}") == "here\n"
            pod = kube.json("get", "pod", f"fixed-{n}")
            assert pod["spec"]["nodeName"] == n and pod["metadata"]["ownerReferences"][0]["name"] == n
            assert not pod["spec"].get("volumes") and not pod["spec"].get("serviceAccountName")
        first = kube.json("get", "pod", f"fixed-{nodes[0]}")
        kube("delete", "pod", f"fixed-{nodes[0]}")
        again = until("it is shown anew", lambda: (p := kube.run("get", "pod", f"fixed-{nodes[0]}", "-o", "json")).returncode == 0
                      and (o := json.loads(p.stdout))["metadata"]["uid"] != first["metadata"]["uid"]
                      and o["status"].get("containerStatuses") and o)
        assert again["status"]["containerStatuses"][0]["containerID"] == first["status"]["containerStatuses"][0]["containerID"]
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    for n in nodes:
        until(f"{n}'s Pod is gone", lambda n=n: kube.run("get", "pod", f"fixed-{n}").returncode != 0, timeout=60)


def test_cordon_and_drain(kube):
    kube("cordon", "node-1")
    try:
        deploy(kube, replicas=2)
        assert {p["spec"]["nodeName"] for p in kube.json("get", "pods")["items"]} == {"node-2"}
        kube("uncordon", "node-1")
        done = kube.run("drain", "node-2", "--ignore-daemonsets", "--delete-emptydir-data", WAIT)
        assert done.returncode == 0, done
        kube("rollout", "status", "deployment/web", WAIT)
        assert {p["spec"]["nodeName"] for p in kube.json("get", "pods")["items"]
                if not p["metadata"].get("deletionTimestamp")} == {"node-1"}
    finally:
        kube("uncordon", "node-1", "node-2")


def test_daemons_stay_when_a_node_is_drained(kube):
    pod = sleeper("d")
    kube("apply", "-f", "-", stdin={"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"app": "d"}}, "template": {"metadata": pod["metadata"], "spec": pod["spec"]}}})
    kube("rollout", "status", "ds/d", WAIT)
    before = {p["spec"]["nodeName"]: p["metadata"]["uid"] for p in kube.json("get", "pods")["items"]}
    assert sorted(before) == ["node-1", "node-2"]
    assert "cannot delete DaemonSet-managed Pods" in kube.run("drain", "node-2").stderr
    try:
        done = kube.run("drain", "node-2", "--ignore-daemonsets", WAIT)
        assert done.returncode == 0 and "ignoring DaemonSet-managed Pods" in done.stderr, done
        # A cordoned node gets its new one like the others.
        kube("set", "env", "ds/d", "A=b")
        kube("rollout", "status", "ds/d", WAIT)
        after = {p["spec"]["nodeName"]: p["metadata"]["uid"] for p in kube.json("get", "pods")["items"]
                 if not p["metadata"].get("deletionTimestamp")}
        assert sorted(after) == sorted(before) and not set(after.values()) & set(before.values())
    finally:
        kube("uncordon", "node-2")


def test_pods_of_a_stateful_set_are_known_by_name(kube):
    pod = sleeper("w")
    kube("create", "service", "clusterip", "svc", "--clusterip=None", "--tcp=80")
    kube("patch", "service", "svc", "-p", '{"spec": {"selector": {"app": "w"}}}')
    kube("apply", "-f", "-", stdin={"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "w"}, "spec": {
        "replicas": 2, "serviceName": "svc", "selector": {"matchLabels": {"app": "w"}},
        "template": {"metadata": {"labels": {"app": "w"}}, "spec": pod["spec"]}}})
    kube("rollout", "status", "sts/w", WAIT)
    assert kube("exec", "w-1", "--", "hostname") == "w-1\n"
    for i in range(2):
        ip = kube.json("get", "pod", f"w-{i}")["status"]["podIP"]
        until(f"w-{i} has a name", lambda i=i, ip=ip: ip in kube.run("exec", "w-0", "--", "nslookup",
              f"w-{i}.svc.{kube.namespace}.svc.cluster.local").stdout)


# --- streams ---


def test_a_command_that_is_not_there_holds_up_nobody(kube):
    """What crun leaves behind is in the Pod's namespace of processes, which must end all the same."""
    start(kube, sleeper("fine"))
    done = kube.run("exec", "fine", "--", "no-such-command")
    assert done.returncode != 0 and "no-such-command" in done.stderr
    kube("delete", "pod", "fine", WAIT)
    supervisor = kube.cluster.process.pid
    until("no zombie is left", lambda: not [s for s in stats_of_children(supervisor) if s == "Z"])


def stats_of_children(pid):
    """The state's letter of each."""
    fields = [read(f"/proc/{p}/stat").rpartition(") ")[2].split() for p in os.listdir("/proc") if p.isdigit()]
    return [f[0] for f in fields if f and f[1] == str(pid)]


def test_run_with_a_terminal(kube):
    """kubectl run --rm -it, on a real terminal."""
    import pty

    main, side = pty.openpty()
    process = subprocess.Popen([str(kube.binary), "run", "shell", "--rm", "-it", "--image=busybox:1", "--restart=Never",
                                "--", "sh"], stdin=side, stdout=side, stderr=side, env=kube.env, start_new_session=True)
    os.close(side)
    seen = []

    def read():
        try:
            while data := os.read(main, 4096):
                seen.append(data.decode(errors="replace"))
        except OSError:
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        until("the shell is there", lambda: statuses(kube, "shell") and "running" in statuses(kube, "shell")[0]["state"])
        until("it echoes", lambda: os.write(main, b"echo $((40 + 2)); tty\n") and re.search(r"^42\r$", "".join(seen), re.M)
              and "/dev/pts/0" in "".join(seen))
        os.write(main, b"exit\n")
        assert process.wait(20) == 0, "".join(seen)
    finally:
        process.kill()
        process.wait()
        reader.join(5)
        os.close(main)
    until("it is removed", lambda: kube.run("get", "pod", "shell").returncode != 0)


def test_exec_logs_and_cp(kube, scratch):
    start(kube, sleeper("a", "echo to stdout; echo to stderr >&2; sleep 1000"))
    assert sorted(kube("logs", "a").splitlines()) == ["to stderr", "to stdout"]
    assert kube("exec", "a", "--", "sh", "-c", "echo out; exit 0") == "out\n"
    done = kube.run("exec", "a", "--", "sh", "-c", "exit 7")
    assert done.returncode == 7
    assert kube.run("exec", "-i", "a", "--", "cat", stdin="through\n").stdout == "through\n"
    (scratch / "file").write_text("copied\n")
    kube.run("cp", str(scratch / "file"), "a:/tmp/file")
    assert kube("exec", "a", "--", "cat", "/tmp/file") == "copied\n"


# --- bad input ---


def test_an_unknown_image_is_named_and_retried(kube):
    kube("run", "a", "--image=127.0.0.1:1/nobody/nothing:1")
    message = state_of(kube, "a", "ImagePullBackOff")  # ErrImagePull before it is over in a moment: an Event keeps it
    assert "127.0.0.1:1/nobody/nothing:1" in message
    events = kube.json("get", "events", "--field-selector=involvedObject.name=a,type=Warning")["items"]
    said = [e["message"] for e in events if e["reason"] == "Failed"]
    assert "Error: ErrImagePull" in said, events
    assert any(text.startswith('Failed to pull image "127.0.0.1:1/nobody/nothing:1": ') for text in said), said


def test_a_command_that_is_not_in_the_image(kube):
    pod = sleeper("a", restartPolicy="Never")
    pod["spec"]["containers"][0]["command"] = ["/no/such/program"]
    kube("apply", "-f", "-", stdin=pod)
    until("it failed", lambda: kube.json("get", "pod", "a")["status"]["phase"] == "Failed")
    ended = statuses(kube, "a")[0]["state"]["terminated"]
    assert ended["reason"] == "StartError" and ended["exitCode"] == 128 and "/no/such/program" in ended["message"]


def test_a_missing_config_map_is_named_and_heals(kube):
    pod = sleeper("a")
    pod["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "later"}}]
    kube("apply", "-f", "-", stdin=pod)
    assert 'configmap "later" not found' in state_of(kube, "a", "CreateContainerConfigError")
    kube("create", "configmap", "later", "--from-literal=A=b")
    kube("wait", "pod/a", "--for=condition=Ready", WAIT)


def test_a_missing_secret_is_named_and_heals(kube):
    pod = sleeper("a")
    pod["spec"]["containers"][0]["env"] = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "later", "key": "token"}}}]
    kube("apply", "-f", "-", stdin=pod)
    assert 'secret "later" not found' in state_of(kube, "a", "CreateContainerConfigError")
    kube("create", "secret", "generic", "later", "--from-literal=token=b")
    kube("wait", "pod/a", "--for=condition=Ready", WAIT)


def test_a_pod_that_fits_nowhere_says_why(kube):
    pod = sleeper("a", nodeSelector={"kubernetes.io/hostname": "nowhere"})
    kube("apply", "-f", "-", stdin=pod)
    until("it says why", lambda: any(
        c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" and "0/2 nodes are available" in c["message"]
        for c in kube.json("get", "pod", "a")["status"].get("conditions", [])))
