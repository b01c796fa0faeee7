"""`kubectl logs` of real containers, with every option, by both kubectls and the Python client."""

import base64
import datetime
import re
import ssl

import pytest
import yaml

from cluster import until
from harness import KUBECTLS, SLOWER, Kubectl, status_of
from node import await_object
from one_node import *  # noqa: F403
from one_node import PODS, box_of, needs_root

pytestmark = needs_root

WAIT = "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"
# Says what is written to /say, line by line, until "end".
ECHO = "mkfifo /say; exec 3<>/say; echo ready; while read -r line <&3; do [ \"$line\" = end ] && exit 0; echo \"$line\"; done"


@pytest.fixture(params=sorted(KUBECTLS))
def kubectl(request, server, workdir):
    return Kubectl(request.param, server, workdir)


@pytest.fixture
def newest(server, workdir):
    return Kubectl(max(KUBECTLS), server, workdir)


def is_over(o):
    return o and o.get("status", {}).get("phase") in ("Succeeded", "Failed")


@pytest.fixture(scope="module")
def done(raw, node):
    """One that has said ten lines and one without an end, and is over."""
    box_of(raw, "said", {"main": "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; done; printf tail"}, is_over)
    yield "said"
    raw.delete(f"{PODS}/said", {"gracePeriodSeconds": 0})


LINES = [f"line {i}" for i in range(1, 11)]


def test_all_of_it(done, kubectl):
    assert kubectl("logs", done) == "\n".join(LINES) + "\ntail"


@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_tail(raw, names, kubectl, n):
    name = names(f"-{n}-{kubectl.version.replace('.', '-')}")
    box_of(raw, name, {"main": "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; done"}, is_over)
    assert kubectl("logs", name, f"--tail={n}").splitlines() == (LINES[-n:] if n else [])


def test_limit_bytes(done, kubectl):
    got = kubectl("logs", done, "--limit-bytes=12")
    assert len(got) == 12


def test_timestamps(done, kubectl):
    times = []
    for line in kubectl("logs", done, "--timestamps").splitlines():
        time, text = line.split(" ", 1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", time), line
        times.append(time)
    assert len(times) == 11
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    assert all(t[:10] >= now[:4] for t in times)


def test_since_time(raw, names, newest):
    name = names()
    box_of(raw, name, {"main": "echo early; sleep 2; echo late"}, is_over)
    stamped = newest("logs", name, "--timestamps").splitlines()
    late = next(line.split(" ")[0] for line in stamped if line.endswith(" late"))
    assert newest("logs", name, f"--since-time={late}") == "late\n"  # that moment belongs to it
    assert newest("logs", name, "--since-time=2100-01-01T00:00:00Z") == ""
    assert newest("logs", name, "--since-time=2000-01-01T02:00:00+02:00") == "early\nlate\n"
    assert newest("logs", name, "--since=1h") == "early\nlate\n"
    # What is older than a second ago, when the last line has been there for longer.
    box_of(raw, names("-clock"), {"main": "sleep 3"}, is_over)
    assert newest("logs", name, "--since=1s") == ""


def test_previous(raw, names, newest):
    name = names()
    body = [{"name": "main", "image": "busybox:1", "volumeMounts": [{"name": "v", "mountPath": "/there"}],
             "command": ["sh", "-c", "if [ -e /there/x ]; then echo second; " + WAIT + "; fi; touch /there/x; echo first; exit 3"]}]
    box_of(raw, name, body, lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and
           s[0]["restartCount"] == 1 and "running" in s[0]["state"],
           restartPolicy="Always", volumes=[{"name": "v", "emptyDir": {}}])
    assert newest("logs", name, "--previous") == "first\n"
    assert newest("logs", name) == "second\n"
    other = names("-none")
    box_of(raw, other, {"main": "echo once; " + WAIT})
    assert f'previous terminated container "main" in pod "{other}" not found' in newest.fails("logs", other, "-p")


def test_containers(raw, names, kubectl):
    name = names(kubectl.version.replace(".", "-"))
    box_of(raw, name, {"a": "echo from a", "b": "echo from b"}, is_over, labels={"app": name},
           initContainers=[{"name": "before", "image": "busybox:1", "command": ["echo", "from before"]}])
    assert kubectl("logs", name, "-c", "b") == "from b\n"
    assert kubectl("logs", name, "-c", "before") == "from before\n"
    assert sorted(kubectl("logs", name, "--all-containers").splitlines()) == ["from a", "from b", "from before"]
    prefixed = sorted(kubectl("logs", "-l", f"app={name}", "--all-containers", "--prefix").splitlines())
    assert prefixed == [f"[pod/{name}/a] from a", f"[pod/{name}/b] from b", f"[pod/{name}/before] from before"]
    done = kubectl.run("logs", name)
    assert done.stdout == "from a\n" and 'Defaulted container "a" out of: a, b' in done.stderr
    assert 'container nobody is not valid for pod' in kubectl.fails("logs", name, "-c", "nobody")


def test_by_selector(raw, names, newest):
    all_names = [names(f"-{i}") for i in range(3)]
    for n in all_names:
        box_of(raw, n, {"main": f"echo I am {n}"}, is_over, labels={"many": "yes"})
    assert sorted(newest("logs", "-l", "many=yes").splitlines()) == [f"I am {n}" for n in all_names]


def test_bad_options(done, raw):
    for query, reason in (("tailLines=-1", "Invalid"), ("limitBytes=0", "Invalid"), ("sinceSeconds=0", "Invalid"),
                          ("sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z", "Invalid")):
        answer = raw.get(f"{PODS}/{done}/log?{query}")
        status_of(answer, 422, reason)


def test_following_ends_with_the_container(raw, names, kubectl):
    name = names(kubectl.version.replace(".", "-"))
    box_of(raw, name, {"main": ECHO})
    with kubectl.follow("logs", "-f", name) as f:
        f.until("^ready$")
        for word in ("one", "two"):
            say(kubectl, name, word)
            f.until(f"^{word}$")
        say(kubectl, name, "end")
        assert f.process.wait(20 * SLOWER) == 0
        assert f.lines.get(timeout=10) is None


def say(kubectl, name, text):
    done = kubectl.run("exec", name, "--", "sh", "-c", f"echo {text} > /say")
    # "end" may take the one who says it along.
    assert done.returncode == 0 or (text == "end" and done.returncode == 137), done.stderr


def test_following_ends_when_it_is_restarted(raw, names, newest):
    """The run that was asked for is followed, not the next one; as upstream."""
    name = names()
    box_of(raw, name, {"main": ECHO}, restartPolicy="Always")
    with newest.follow("logs", "-f", name) as f:
        f.until("^ready$")
        say(newest, name, "end")
        assert f.process.wait(20 * SLOWER) == 0
        assert f.lines.get(timeout=10) is None
    await_object(raw, f"{PODS}/{name}", lambda o: o["status"]["containerStatuses"][0]["restartCount"] == 1)


def test_following_ends_when_the_pod_is_deleted(raw, names, newest):
    name = names()
    box_of(raw, name, {"main": "trap 'echo last words; exit 0' TERM; echo ready; while true; do sleep 1 & wait $!; done"})
    with newest.follow("logs", "-f", name) as f:
        f.until("^ready$")
        newest("delete", "pod", name, "--wait=false", "--grace-period=20")
        f.until("^last words$")
        assert f.process.wait(20 * SLOWER) == 0


def test_following_with_a_tail_and_a_limit(raw, names, newest):
    name = names()
    box_of(raw, name, {"main": ECHO})
    for i in range(3):
        say(newest, name, f"old{i}")
    with newest.follow("logs", name) as f:
        f.until("^old2$")
    with newest.follow("logs", "-f", "--tail=1", "--limit-bytes=9", name) as f:
        assert f.until("old") == ["old2"]
        say(newest, name, "abcdefgh")
        assert f.process.wait(20 * SLOWER) == 0
        assert f.lines.get(timeout=10) == "abcd"


def test_following_many(raw, names, newest):
    all_names = [names(f"-{i}") for i in range(3)]
    for n in all_names:
        box_of(raw, n, {"main": ECHO}, labels={"followed": "yes"})
    with newest.follow("logs", "-f", "-l", "followed=yes", "--prefix") as f:
        for n in all_names:
            say(newest, n, f"word-{n}")
        wanted = {f"[pod/{n}/main] word-{n}" for n in all_names}
        while wanted:
            wanted -= set(f.until("word-"))
        for n in all_names:
            say(newest, n, "end")
        assert f.process.wait(20 * SLOWER) == 0


def test_following_over_a_rotation(raw, node, names, newest):
    """12 MB are too much for one file: nothing is lost for who follows, and what is written later comes, too."""
    name = names()
    o = box_of(raw, name, {"main": "echo begin; i=0; while [ $i -lt 12000 ]; do i=$((i+1)); printf '%06d%01000d\\n' $i 0; done; "
                                   + ECHO})
    directory = node.logs / f"default_{name}_{o['metadata']['uid']}" / "main"
    with newest.follow("logs", "-f", name) as f:
        lines = f.until("^ready$", 180 * SLOWER)
        until("the log is turned over", lambda: list(directory.glob("0.log.*")), timeout=180)
        say(newest, name, "afterwards")
        lines += f.until("^afterwards$")
        say(newest, name, "end")
        assert f.process.wait(20 * SLOWER) == 0
    numbers = [int(line[:6]) for line in lines if re.match(r"\d{6}0", line)]
    assert numbers == list(range(1, 12001))
    # Without following, what is in the newest file.
    assert "afterwards" in newest("logs", name)


def test_long_lines_and_odd_bytes(raw, names, newest, server):
    name = names()
    box_of(raw, name, {"main": "head -c 100000 /dev/zero | tr '\\0' x; echo; printf 'a\\377\\001b\\r\\n'; printf '\\n'; echo end"},
           is_over)
    with server.raw() as client:
        body = client.get(f"{PODS}/{name}/log").body
    assert body == b"x" * 100000 + b"\n" + b"a\xff\x01b\r\n" + b"\n" + b"end\n"
    with server.raw() as client:
        stamped = client.get(f"{PODS}/{name}/log?timestamps=true").body
    assert re.match(rb"\S+Z x{100000}\n\S+Z a\xff\x01b\r\n\S+Z \n\S+Z end\n$", stamped)


def test_what_waits_says_so(raw, names, newest):
    name = names()
    box_of(raw, name, [{"name": "main", "image": "busybox:1", "command": ["true"],
                        "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "nobody", "key": "x"}}}]}],
           lambda o: o and (s := o.get("status", {}).get("containerStatuses")) and
           s[0]["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError")
    assert f'container "main" in pod "{name}" is waiting to start: CreateContainerConfigError' in newest.fails("logs", name)
    other = names("-init")
    box_of(raw, other, {"main": "true"}, lambda o: o and (s := o.get("status", {}).get("initContainerStatuses")) and
           "running" in s[0]["state"],
           initContainers=[{"name": "before", "image": "busybox:1", "command": ["sh", "-c", "echo here; " + WAIT]}])
    assert f'container "main" in pod "{other}" is waiting to start: PodInitializing' in newest.fails("logs", other)
    assert newest("logs", other, "-c", "before") == "here\n"


def test_the_python_client(raw, names, api, newest):
    from kubernetes import client, watch
    core = client.CoreV1Api(api)
    name = names()
    box_of(raw, name, {"main": ECHO})
    w = watch.Watch()
    got = []
    for line in w.stream(core.read_namespaced_pod_log, name, "default", follow=True):
        got.append(line)
        if line == "ready":
            say(newest, name, "spoken")
        if line == "spoken":
            say(newest, name, "end")
    assert got == ["ready", "spoken"]
    # Read as bytes: some versions of the client print them as Python does.
    answer = core.read_namespaced_pod_log(name, "default", tail_lines=1, timestamps=True, _preload_content=False)
    assert re.fullmatch(rb"\S+Z spoken\n", answer.data)
    with pytest.raises(client.ApiException) as e:
        core.read_namespaced_pod_log(name, "default", previous=True)
    assert e.value.status == 400


def test_by_websocket(raw, names, server, newest):
    import websocket
    name = names()
    box_of(raw, name, {"main": ECHO})
    w = open_websocket(server, f"{PODS}/{name}/log?follow=true", ["binary.k8s.io"])
    got = b""
    while b"ready\n" not in got:
        got += w.recv()
    say(newest, name, "word")
    while b"word\n" not in got:
        got += w.recv()
    say(newest, name, "end")
    assert w.recv() in (b"", "")
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        w.recv()
    assert got == b"ready\nword\n"


def open_websocket(server, path, protocols):
    import websocket
    return websocket.create_connection(
        f"wss://127.0.0.1:{server.port}{path}", subprotocols=protocols, timeout=20 * SLOWER,
        sslopt={"cert_reqs": ssl.CERT_NONE, **client_certificate(server)})


def client_certificate(server):
    user = yaml.safe_load(server.kubeconfig.read_text())["users"][0]["user"]
    files = {}
    for key, option in (("client-certificate", "certfile"), ("client-key", "keyfile")):
        if f"{key}-data" in user:
            path = server.dir / f"test-{option}.pem"
            path.write_bytes(base64.b64decode(user[f"{key}-data"]))
            files[option] = str(path)
        else:
            files[option] = user[key]
    return files


def test_of_nobody(raw):
    status_of(raw.get(f"{PODS}/nobody/log"), 404, "NotFound")
