"""What the tests drive the program with: a server process, a raw HTTPS client, kubectl.

Nothing here sleeps to wait for the server: readiness is its line on stdout, the rest are answers.
"""

import base64
import http.client
import json
import os
import queue
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import yaml

PINTLE = os.environ["PINTLE"]
TOOLS = Path(os.environ["TOOLS"])
KUBECTLS = {v: TOOLS / f"kubectl-{v}" for v in ("1.36", "1.32")}
READY = re.compile(r"^serving https?://[^ ]+:(\d+)$")

# A sanitizer build is slower and holds freed memory back; bounds that speak of either give way. A machine that is
# slow itself says so in SLOWER.
IS_SANITIZED = any(word in Path(PINTLE).read_bytes() for word in (b"__asan_init", b"__tsan_init"))
SLOWER = int(os.environ.get("SLOWER", 4 if IS_SANITIZED else 1))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pintle(*args, timeout=30, **kw):
    """Runs the program to its end."""
    return subprocess.run([PINTLE, *map(str, args)], capture_output=True, text=True,
                          timeout=timeout, **kw)


class Server:
    """`pintle apiserver` on a data directory; may be stopped, killed and started again."""

    def __init__(self, directory, flags=(), wrapper=()):
        self.dir = Path(directory)
        self.flags = list(flags)
        self.wrapper = list(wrapper)
        self.port = free_port()
        self.process = None
        self.stderr_path = self.dir.parent / (self.dir.name + ".stderr")

    def init(self):
        done = pintle("pki", "init", self.dir, "--secure-port", self.port)
        assert done.returncode == 0, done.stderr
        return self

    def command(self):
        """Without a controller manager nobody makes service accounts or takes finalizers of volumes
        off, so the plugins that want these are off, unless a test says otherwise."""
        return [*self.wrapper, PINTLE, "apiserver", "--data-dir", str(self.dir), "--secure-port",
                str(self.port), "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection",
                *map(str, self.flags)]

    def start(self, timeout=20 * SLOWER):
        with open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=err)
        line = self._line(timeout)
        assert READY.match(line), f"no readiness line but {line!r}; stderr: {self.stderr()}"
        return self

    def _line(self, timeout):
        out, got, end = self.process.stdout, b"", time.monotonic() + timeout
        while not got.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                break
            byte = os.read(out.fileno(), 1)
            if not byte:
                break
            got += byte
        return got.decode().rstrip("\n")

    def pid(self):
        """The server's own pid, also behind a wrapper."""
        return self.process.pid

    def stop(self, sig=signal.SIGTERM, timeout=20):
        """Returns the exit code; None when it does not run."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end within {timeout} s of signal {sig}")
        finally:
            self.process.stdout.close()
            self.process = None
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def forget(self):
        """Removes what a killed server leaves on tmpfs for its next start."""
        store = self.dir / "store"
        if not store.is_dir():
            return
        st = store.stat()
        name = f"pintle-{os.geteuid()}-{st.st_dev:x}-{st.st_ino:x}"
        for base in ("/run", "/dev/shm"):
            shutil.rmtree(Path(base) / name, ignore_errors=True)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stderr(self):
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def rss_kib(self):
        text = Path(f"/proc/{self.pid()}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", text, re.M).group(1))

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid()}/fd"))

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self):
        return self.dir / "admin.conf"

    def raw(self, **kw):
        return Raw(self, **kw)


def admin_files(directory):
    """The admin's certificate and key, and the CA, out of admin.conf as files of their own."""
    directory = Path(directory)
    conf = yaml.safe_load((directory / "admin.conf").read_text())
    user, cluster = conf["users"][0]["user"], conf["clusters"][0]["cluster"]
    out = directory.parent / (directory.name + ".client")
    out.mkdir(mode=0o700, exist_ok=True)
    for name, data in (("crt", user["client-certificate-data"]), ("key", user["client-key-data"]),
                       ("ca", cluster["certificate-authority-data"])):
        # Replaced whole: another thread may be reading it.
        new = out / f"{name}.{threading.get_ident()}"
        new.write_bytes(base64.b64decode(data))
        new.replace(out / name)
    return out / "crt", out / "key", out / "ca"


def tls_context(directory, client=True):
    crt, key, ca = admin_files(directory)
    context = ssl.create_default_context(cafile=ca)
    if client:
        context.load_cert_chain(crt, key)
    return context


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return self.headers.get("Content-Type", "")

    def __repr__(self):
        return f"<{self.status} {self.type} {self.body[:600]!r}>"


def with_query(path, query):
    if not query:
        return path
    return path + ("&" if "?" in path else "?") + urlencode(query, doseq=True)


class Raw:
    """One keep-alive HTTPS connection with the admin's certificate (or another, or none)."""

    def __init__(self, server, context=None, timeout=30):
        self.server = server
        self.context = context or tls_context(server.dir)
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, context=self.context,
                                           timeout=self.timeout)

    def request(self, method, path, body=None, headers=None, **query):
        path = with_query(path, query)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        try:
            self.connection.request(method, path, body=body, headers=headers)
            response = self.connection.getresponse()
            answer = Answer(response, response.read())
        except (ConnectionError, http.client.HTTPException, ssl.SSLError):
            self.close()
            if fresh or method not in ("GET", "HEAD"):
                raise
            return self.request(method, path, body, headers)
        if response.will_close:
            self.close()
        return answer

    def get(self, path, headers=None, **query):
        return self.request("GET", path, headers=headers, **query)

    def post(self, path, body, headers=None, **query):
        return self.request("POST", path, body, headers, **query)

    def put(self, path, body, headers=None, **query):
        return self.request("PUT", path, body, headers, **query)

    def patch(self, path, body, kind="merge-patch", headers=None, **query):
        headers = {"Content-Type": f"application/{kind}+json", **(headers or {})}
        return self.request("PATCH", path, json.dumps(body), headers, **query)

    def delete(self, path, body=None, headers=None, **query):
        return self.request("DELETE", path, body, headers, **query)

    def watch(self, path, headers=None, **query):
        return Watch(self, with_query(path, {"watch": "true", **query}), headers)


class Watch:
    """A running watch on a connection of its own; `next()` waits for one event."""

    def __init__(self, raw, path, headers=None):
        self.connection = raw.connect()
        self.connection.request("GET", path, headers=headers or {})
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.body = self.response.read() if self.status != 200 else b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self, timeout=30):
        self.connection.sock and self.connection.sock.settimeout(timeout)
        line = self.response.readline()
        return json.loads(line) if line else None

    def take(self, n, timeout=30):
        return [self.next(timeout) for _ in range(n)]

    def until(self, wanted, timeout=30):
        """All events up to and with the first that `wanted` likes."""
        events = []
        while not events or not wanted(events[-1]):
            events.append(self.next(timeout))
            assert events[-1] is not None, f"the watch ended after {events[:-1]}"
        return events


class Kubectl:
    def __init__(self, version, server, home):
        self.version = version
        self.binary = KUBECTLS[version]
        self.server = server
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home),
                    "KUBECONFIG": str(server.kubeconfig), "KUBECTL_EXTERNAL_DIFF": "diff -u -N"}

    def run(self, *args, stdin=None, env=None, timeout=60):
        return subprocess.run([self.binary, *map(str, args)], input=stdin, capture_output=True,
                              text=True, timeout=timeout, env={**self.env, **(env or {})})

    def __call__(self, *args, stdin=None, env=None):
        """Runs a command that must succeed without a warning; returns stdout."""
        if isinstance(stdin, (dict, list)):
            stdin = json.dumps(stdin)
        done = self.run(*args, stdin=stdin, env=env)
        assert done.returncode == 0, f"kubectl {args}: {done.stdout}\n{done.stderr}"
        # A line of its own: kubectl's log of what it gave up itself may have the word, too.
        assert not re.search(r"^Warning", done.stderr, re.M), f"kubectl {args}: {done.stderr}"
        return done.stdout

    def fails(self, *args, stdin=None, code=1):
        """Runs a command that must fail; returns stderr."""
        if isinstance(stdin, (dict, list)):
            stdin = json.dumps(stdin)
        done = self.run(*args, stdin=stdin)
        assert done.returncode == code, f"kubectl {args}: {done.returncode} {done.stdout}\n{done.stderr}"
        return done.stderr

    def json(self, *args):
        return json.loads(self(*args, "-o", "json"))

    def follow(self, *args):
        return Follower([self.binary, *map(str, args)], self.env)


class Follower:
    """A command that goes on printing (kubectl get -w)."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=env)
        self.lines = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def until(self, pattern, timeout=60):
        """Lines up to and with the first that matches."""
        got, end = [], time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r} within {timeout} s: {got}") from None
            assert line is not None, f"ended without a line like {pattern!r}: {got}"
            got.append(line)
            if re.search(pattern, line):
                return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.thread.join(10)
        self.process.stdout.close()
        self.process.stderr.close()


def status_of(answer, code, reason=None):
    """Asserts that an answer is a Status of that code; returns it."""
    assert answer.status == code, answer
    status = answer.json()
    assert status["kind"] == "Status" and status["apiVersion"] == "v1", status
    assert status["status"] == "Failure" and status["code"] == code, status
    assert status.get("message"), status
    if reason is not None:
        assert status.get("reason") == reason, status
    return status


def table(text):
    """kubectl's columns: a list of rows, the first the headers, split at two or more spaces."""
    return [re.split(r"\s{2,}", line.rstrip()) for line in text.splitlines() if line.strip()]


def config_map(name, data=None, namespace="default", **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, **meta}, "data": data or {}}


def pod(name, namespace="default", **meta):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, **meta},
            "spec": {"containers": [{"name": "main", "image": "example/app:1"}]}}
