"""exec, attach, port-forward, logs and cp on a real container, by the clients that users have: kubectl by WebSockets
and by SPDY, the newest and the oldest that we promise, and the Python client."""

import contextlib
import os
import pty
import re
import select
import socket
import signal
import subprocess
import termios
import threading
import time

import pytest

from harness import SLOWER, TOOLS, Kubectl
from node import IMAGE, NODE, await_object
from one_node import *  # noqa: F403
from one_node import PODS, needs_root

SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}

pytestmark = needs_root


def start(raw, name, script, **more):
    container = {"name": "main", "image": IMAGE, "command": ["sh", "-c", script], **more}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": NODE, "containers": [container], "restartPolicy": "Never",
                     "terminationGracePeriodSeconds": 1}}
    assert raw.post(PODS, body).status == 201
    return await_object(raw, f"{PODS}/{name}", lambda o: o and o.get("status", {}).get("phase") in (
        "Running", "Succeeded", "Failed"))


FOREVER = "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"


@pytest.fixture(scope="module")
def box(raw, node):
    """A Pod that talks on two ports: 80 echoes, 81 says hello and ends. nc's queue is as long as it has l's: who finds
    it full waits for seconds before he tries again."""
    listen = "nc -" + 64 * "l"
    o = start(raw, "box", "echo said first; echo to stderr >&2;"
              f"{listen} -p 80 -e cat & {listen} -p 81 -e echo hello & " + FOREVER)
    yield o
    raw.delete(f"{PODS}/box", {"gracePeriodSeconds": 0})
    await_object(raw, f"{PODS}/box", lambda o: o is None)


@pytest.fixture(params=["1.36", "1.32"])
def version(request):
    return request.param


@pytest.fixture(params=["websocket", "spdy"])
def env(request):
    return SPDY if request.param == "spdy" else {}


@pytest.fixture
def kubectl(version, env, server, workdir):
    return lambda *args, **kw: Kubectl(version, server, workdir).run(*args, env=env, **kw)


# --- exec ---

def test_exec_keeps_the_streams_apart(box, kubectl):
    done = kubectl("exec", "box", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


@pytest.mark.parametrize("code", [1, 7, 137])
def test_exec_gives_the_exit_code(box, kubectl, code):
    done = kubectl("exec", "box", "--", "sh", "-c", f"echo before; exit {code}")
    assert (done.returncode, done.stdout) == (code, "before\n")
    assert f"command terminated with exit code {code}" in done.stderr


def test_exec_of_what_is_not_there(box, kubectl):
    done = kubectl("exec", "box", "--", "/no/such")
    assert done.returncode != 0 and "/no/such" in done.stderr


def test_exec_reads_its_input_to_the_end(box, kubectl):
    text = "".join(f"line {i}\n" for i in range(100000))
    done = kubectl("exec", "-i", "box", "--", "sh", "-c", "cat; echo end", stdin=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout == text + "end\n"


def test_exec_gives_much(box, kubectl):
    done = kubectl("exec", "box", "--", "sh", "-c", "yes 0123456789abcde | head -c 20000000")
    assert done.returncode == 0 and len(done.stdout) == 20000000


def test_cp_both_ways(box, kubectl, tmp_path):
    (tmp_path / "there").write_bytes(os.urandom(3 << 20))
    assert kubectl("cp", str(tmp_path / "there"), "box:/tmp/copied").returncode == 0
    done = kubectl("cp", "box:/tmp/copied", str(tmp_path / "back"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


class Terminal:
    """kubectl on a terminal of its own."""

    def __init__(self, version, server, workdir, env, *args, size=(40, 132)):
        k = Kubectl(version, server, workdir)
        self.main, side = pty.openpty()
        termios.tcsetwinsize(side, size)
        self.process = subprocess.Popen([str(k.binary), *args], stdin=side, stdout=side, stderr=side, close_fds=True,
                                        env=k.env | env, start_new_session=True)
        os.close(side)
        self.seen = ""

    def say(self, text):
        os.write(self.main, text.encode())

    def resize(self, size):
        termios.tcsetwinsize(self.main, size)
        self.process.send_signal(signal.SIGWINCH)  # it has no terminal of its own that would

    def until(self, pattern, timeout=60):
        end = time.monotonic() + timeout * SLOWER
        while not (found := re.search(pattern, self.seen)):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.main], [], [], left)[0], (pattern, self.seen)
            try:
                self.seen += os.read(self.main, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(self.seen) from None
        self.seen = self.seen[found.end():]
        return found

    def end(self):
        with contextlib.suppress(OSError, AssertionError):
            self.until("this never comes", 1)
        code = self.process.wait(20 * SLOWER)
        os.close(self.main)
        return code


@pytest.fixture
def terminal(version, server, workdir, env):
    made = []

    def open_it(*args, **kw):
        made.append(Terminal(version, server, workdir, env, *args, **kw))
        return made[-1]

    yield open_it
    for t in made:
        if t.process.poll() is None:
            t.process.kill()
            t.process.wait()


def test_exec_on_a_terminal(box, terminal):
    t = terminal("exec", "-it", "box", "--", "sh")
    t.until("# ")
    t.say("stty size; tty\n")
    t.until(r"40 132")
    t.until(r"/dev/pts/\d+")
    t.say("exit 3\n")
    t.until("exit code 3")
    assert t.end() == 3


SIZES = "trap 'stty size' WINCH; stty size; echo arm''ed; while true; do sleep 1000 & wait $!; done"


def test_a_new_size_reaches_the_process(box, terminal):
    t = terminal("exec", "-it", "box", "--", "sh", "-c", SIZES)
    t.until("(?s)40 132.*armed|armed.*40 132")  # the first size may come after the process began
    t.resize((21, 71))
    t.until("21 71")
    t.resize((50, 200))
    t.until("50 200")


def test_attach_on_a_terminal(raw, node, terminal, env, version):
    """A client that vanishes ends nothing; the next one finds what runs."""
    name = f"terminal-{version.replace('.', '-')}-{'s' if env else 'w'}"
    start(raw, name, "while read -r word; do echo got $word; [ $word = end ] && exit 6; done",
          stdin=True, tty=True)
    first = terminal("attach", "-it", name)
    first.until("If you don't see a command prompt")
    first.say("hello\n")
    first.until("got hello")
    first.process.kill()
    first.process.wait()
    second = terminal("attach", "-it", name, size=(25, 80))
    second.say("again\n")
    second.until("got again")
    second.say("end\n")
    o = await_object(raw, f"{PODS}/{name}", lambda o: o["status"]["phase"] == "Failed")
    assert o["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 6
    raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})


def test_cp_of_a_directory(box, kubectl, tmp_path):
    """Modes, empty files, odd names and links, there and back."""
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/empty").touch()
    (tmp_path / "d/a name").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "d/sub/program").write_text("#!/bin/sh\n")
    (tmp_path / "d/sub/program").chmod(0o755)
    kubectl("exec", "box", "--", "rm", "-rf", "/tmp/d")
    assert kubectl("cp", str(tmp_path / "d"), "box:/tmp/d").returncode == 0
    done = kubectl("exec", "box", "--", "sh", "-c", "ls -l /tmp/d/sub/program; wc -c < '/tmp/d/a name'")
    assert done.stdout.startswith("-rwxr-xr-x") and done.stdout.endswith("25600\n")
    assert kubectl("cp", "box:/tmp/d", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back/a name").read_bytes() == (tmp_path / "d/a name").read_bytes()
    assert (tmp_path / "back/empty").exists() and (tmp_path / "back/sub/program").read_text() == "#!/bin/sh\n"


def test_a_client_that_vanishes_hangs_up(box, terminal, kubectl):
    t = terminal("exec", "-it", "box", "--", "sh")
    t.until("# ")
    t.say("echo $$ > /tmp/shell; echo ok'ay'\n")
    t.until("okay")
    t.process.kill()
    t.process.wait()
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $(cat /tmp/shell) 2>/dev/null || exit 0; sleep 1; done; exit 1"
    assert kubectl("exec", "box", "--", "sh", "-c", script).returncode == 0


# --- attach ---

def test_attach(raw, node, kubectl, env, version):
    name = f"attach-{version.replace('.', '-')}-{'s' if env else 'w'}"
    start(raw, name, "read line; echo got $line; exit 5", stdin=True, stdinOnce=True)
    done = kubectl("attach", "-i", name, stdin="word\n")
    assert "got word" in done.stdout, done
    o = await_object(raw, f"{PODS}/{name}", lambda o: o["status"]["phase"] == "Failed")
    assert o["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 5
    raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})


def await_log(kubectl, name, end):
    deadline = time.monotonic() + 20 * SLOWER
    while not (said := kubectl("logs", name).stdout).endswith(end):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return said


def test_attach_to_what_reads_on(raw, node, kubectl, env, version):
    """The client's input ends, not the container's: the client is let go."""
    name = f"attach-on-{version.replace('.', '-')}-{'s' if env else 'w'}"
    start(raw, name, "cat; echo over", stdin=True)
    for word in ("one", "two"):
        assert kubectl("attach", "-i", name, stdin=f"{word}\n").returncode == 0
    o = raw.get(f"{PODS}/{name}").json()
    assert "one\ntwo\n" == await_log(kubectl, name, "two\n")
    assert "running" in o["status"]["containerStatuses"][0]["state"]
    raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})


# --- port-forward ---

@contextlib.contextmanager
def forwarding(version, server, workdir, env, *ports):
    k = Kubectl(version, server, workdir)
    p = subprocess.Popen([str(k.binary), "port-forward", "pod/box", *ports], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env=k.env | env)
    try:
        local = {}
        while len(local) < len(ports):
            line = p.stdout.readline()
            assert line, "kubectl ended"
            if found := re.match(r"Forwarding from 127.0.0.1:(\d+) -> (\d+)", line):
                local[int(found[2])] = int(found[1])
        yield local, p
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


def ask(port, data=None):
    with socket.create_connection(("127.0.0.1", port), 20 * SLOWER) as s:
        got = b""
        if data is not None:
            writer = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            writer.start()
        while part := s.recv(65536):
            got += part
        if data is not None:
            writer.join()
        return got


def test_port_forward(box, version, server, workdir, env):
    with forwarding(version, server, workdir, env, ":80", ":81") as (local, _):
        assert ask(local[81]) == b"hello\n"
        data = os.urandom(5 << 20)
        assert ask(local[80], data) == data
        assert ask(local[81]) == b"hello\n"


def test_port_forward_of_many_at_once(raw, node, version, server, workdir, env, box):
    with forwarding(version, server, workdir, env, ":80") as (local, _):
        open_ones = []
        for _ in range(20):  # each is there before the next: the Pod's nc takes one at a time
            s = socket.create_connection(("127.0.0.1", local[80]), 20 * SLOWER)
            s.sendall(b"there?\n")
            assert s.recv(10) == b"there?\n"
            open_ones.append(s)
        for i, s in enumerate(open_ones):
            s.sendall(b"%d\n" % i)
        for i, s in reversed(list(enumerate(open_ones))):
            assert s.recv(10) == b"%d\n" % i, i
            s.close()


def test_port_forward_to_nobody(box, version, server, workdir, env):
    with forwarding(version, server, workdir, env, ":9") as (local, p):
        with contextlib.suppress(ConnectionResetError):
            assert ask(local[9]) == b""
        while "an error occurred forwarding" not in (said := p.stdout.readline()):
            assert said
        assert "error forwarding port 9 to pod" in said, said
        assert "refused" in said


# --- logs ---

def test_logs(box, kubectl):
    assert sorted(kubectl("logs", "box").stdout.splitlines()) == ["said first", "to stderr"]
