"""exec, attach and port-forward by the official Python client, which speaks v4.channel.k8s.io over WebSockets alone."""

import json
import select
import socket
import time
import urllib.request

import pytest
import yaml

from harness import SLOWER
from node import await_object
from one_node import *  # noqa: F403
from one_node import PODS, box_of, needs_root

pytestmark = needs_root

FOREVER = "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"


@pytest.fixture(scope="module")
def box(raw, node):
    yield box_of(raw, "pybox", {"main": "nc -ll -p 80 -e cat & nc -ll -p 81 -e echo hello & "
                                        "mkdir /www; echo page > /www/index.html; httpd -p 82 -h /www; " + FOREVER})
    raw.delete(f"{PODS}/pybox", {"gracePeriodSeconds": 0})


@pytest.fixture
def core(api):
    from kubernetes import client
    # stream() changes the client that it is given, for good.
    return client.CoreV1Api(client.ApiClient(api.configuration))


def run(core, command, name="pybox", **more):
    from kubernetes.stream import stream
    return stream(core.connect_get_namespaced_pod_exec, name, "default", command=command,
                  **{"stdin": False, "stdout": True, "stderr": True, "tty": False, **more})


def drain(r, until):
    """Output until it holds what is awaited."""
    end, got = time.monotonic() + 20 * SLOWER, ""
    while until not in got:
        assert time.monotonic() < end and r.is_open(), got
        r.update(timeout=1)
        got += r.read_stdout() if r.peek_stdout() else ""
    return got


def test_output(box, core):
    assert run(core, ["sh", "-c", "echo out; echo err >&2"]) in ("out\nerr\n", "err\nout\n")
    assert run(core, ["echo", "a b", "", "ü&?=%"]) == "a b  ü&?=%\n"


def test_no_descriptor_is_handed_down(box, core):
    assert set(run(core, ["sh", "-c", "ls /proc/self/fd"]).split()) <= {"0", "1", "2", "3"}  # 3 is the listing itself
    assert run(core, ["readlink", "/proc/self/cwd"]) == "/\n"


def test_streams_apart_and_the_code(box, core):
    r = run(core, ["sh", "-c", "echo out; echo err >&2; exit 42"], _preload_content=False)
    r.run_forever(timeout=20 * SLOWER)
    assert (r.read_stdout(), r.read_stderr(), r.returncode) == ("out\n", "err\n", 42)
    r.close()


def test_the_error_status(box, core):
    from kubernetes.stream.ws_client import ERROR_CHANNEL
    r = run(core, ["sh", "-c", "exit 7"], _preload_content=False)
    r.run_forever(timeout=20 * SLOWER)
    status = yaml.safe_load(r.read_channel(ERROR_CHANNEL))
    assert status["status"] == "Failure" and status["reason"] == "NonZeroExitCode"
    assert "command terminated with non-zero exit code" in status["message"]
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
    r = run(core, ["true"], _preload_content=False)
    r.run_forever(timeout=20 * SLOWER)
    assert yaml.safe_load(r.read_channel(ERROR_CHANNEL))["status"] == "Success"
    r = run(core, ["true"], _preload_content=False)
    r.run_forever(timeout=20 * SLOWER)
    assert r.returncode == 0


def test_input(box, core):
    r = run(core, ["sh"], stdin=True, _preload_content=False)
    r.write_stdin("echo one\n")
    assert drain(r, "one\n") == "one\n"
    r.write_stdin("x=2; echo $((x*21))\n")
    assert drain(r, "42\n") == "42\n"
    r.write_stdin("exit 3\n")
    r.run_forever(timeout=20 * SLOWER)
    assert r.returncode == 3
    r.close()


def test_much_input(box, core):
    r = run(core, ["sh", "-c", "head -c 3000000 | wc -c"], stdin=True, _preload_content=False)
    for _ in range(30):
        r.write_stdin("x" * 100000)
    assert drain(r, "\n").strip() == "3000000"
    r.run_forever(timeout=20 * SLOWER)
    assert r.returncode == 0


def test_binary(box, core):
    r = run(core, ["sh", "-c", "printf '\\001\\377\\000z'"], _preload_content=False, binary=True)
    r.run_forever(timeout=20 * SLOWER)
    assert r.read_stdout() == b"\x01\xff\x00z"


def test_terminal_and_its_size(box, core):
    from kubernetes.stream.ws_client import RESIZE_CHANNEL
    r = run(core, ["sh"], stdin=True, tty=True, _preload_content=False)
    drain(r, "# ")
    r.write_channel(RESIZE_CHANNEL, json.dumps({"Width": 101, "Height": 33}))
    # Behind the wait of a shell without line editing: a trap runs as soon as the signal is there.
    r.write_stdin("exec sh -c 'trap \"stty size; exit 0\" WINCH; stty size; echo arm\\ed; sleep 1000 & wait'\n")
    drain(r, "33 101\r\narmed\r\n")
    r.write_channel(RESIZE_CHANNEL, json.dumps({"Width": 77, "Height": 22}))
    drain(r, "22 77\r\n")
    r.run_forever(timeout=20 * SLOWER)
    assert r.returncode == 0


def test_of_what_is_not_there(box, core):
    from kubernetes.client import ApiException
    for more, text in (({"name": "nobody"}, "404 Not Found"), ({"container": "other"}, "container other is not valid for pod pybox")):
        with pytest.raises((ApiException, AttributeError)) as e:  # the client stumbles over its own error
            run(core, ["true"], **more)
        while not isinstance(e := getattr(e, "value", e), ApiException):
            e = e.__context__
        assert text in str(e)
    r = run(core, ["/no/such"], _preload_content=False)
    r.run_forever(timeout=20 * SLOWER)
    assert r.returncode != 0


def test_attach(raw, names, core):
    from kubernetes.stream import stream
    name = names()
    box_of(raw, name, [{"name": "main", "image": "busybox:1", "stdin": True, "stdinOnce": True,
                        "command": ["sh", "-c", "while read -r line; do echo got $line; [ $line = end ] && exit 4; done"]}])
    r = stream(core.connect_get_namespaced_pod_attach, name, "default", stdin=True, stdout=True, stderr=True, tty=False,
               _preload_content=False)
    r.write_stdin("word\n")
    assert drain(r, "got word\n") == "got word\n"
    r.write_stdin("end\n")
    drain(r, "got end\n")
    o = await_object(raw, f"{PODS}/{name}", lambda o: o["status"]["phase"] == "Failed")
    assert o["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 4


def forward(core, *ports):
    from kubernetes.stream import portforward
    return portforward(core.connect_get_namespaced_pod_portforward, "pybox", "default",
                       ports=",".join(str(p) for p in ports))


def test_port_forward(box, core):
    pf = forward(core, 80, 81)
    hello, echo = pf.socket(81), pf.socket(80)
    hello.settimeout(20 * SLOWER)
    echo.settimeout(20 * SLOWER)
    assert hello.recv(100) == b"hello\n"
    data = bytes(range(256)) * 2000
    sent = got = b""
    echo.setblocking(False)
    end = time.monotonic() + 20 * SLOWER
    while len(got) < len(data):
        assert time.monotonic() < end
        r, w, _ = select.select([echo], [echo] if len(sent) < len(data) else [], [], 1)
        if w:
            sent += data[len(sent):len(sent) + echo.send(data[len(sent):len(sent) + 4096])]
        if r:
            got += echo.recv(65536)
    assert got == data and pf.error(80) is None and pf.error(81) is None
    echo.close()
    hello.close()


def test_port_forward_to_nobody(box, core):
    pf = forward(core, 9)
    s = pf.socket(9)
    s.settimeout(20 * SLOWER)
    assert s.recv(10) == b""
    end = time.monotonic() + 20 * SLOWER
    while pf.error(9) is None:
        assert time.monotonic() < end
        select.select([], [], [], 0.05)
    assert "refused" in pf.error(9)


def test_http_through_a_forwarded_port(box, core, monkeypatch):
    """As the client's own example does it."""
    def connect(address, *_, **__):
        s = forward(core, address[1]).socket(address[1])
        s.setblocking(True)
        return s

    monkeypatch.setattr(socket, "create_connection", connect)
    with urllib.request.urlopen("http://pybox.default.kubernetes:82/index.html", timeout=20 * SLOWER) as answer:
        assert answer.read() == b"page\n"
