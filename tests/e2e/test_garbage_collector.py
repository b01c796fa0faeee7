"""The garbage collector in races that are made, not waited for: what it asks passes through a relay that can hold it."""

import re
import select
import socket
import subprocess
import threading

import pytest

from cluster import until
from harness import PINTLE, SLOWER, config_map, tls_context

MAPS = "/api/v1/namespaces/default/configmaps"


class Relay:
    """Plain HTTP/1.1 in front, the API server as the administrator behind it. A request whose first line matches
    `held` stays here until `release` is set; `answered` is set when its answer has passed."""

    def __init__(self, server, held):
        self.server, self.held = server, re.compile(held)
        self.context = tls_context(server.dir)
        self.release, self.answered = threading.Event(), threading.Event()
        self.lines, self.news = [], threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                front, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(front,), daemon=True).start()

    def _pass(self, front):
        raw = socket.create_connection(("127.0.0.1", self.server.port))
        with front, self.context.wrap_socket(raw, server_hostname="127.0.0.1") as back:
            was_held = False
            try:
                while True:
                    ready = [back] if back.pending() else select.select([front, back], [], [])[0]
                    for side, other in ((front, back), (back, front)):
                        if side in ready:
                            data = side.recv(65536)
                            if side is front:
                                was_held = self._look(data)
                            if not data:
                                return
                            other.sendall(data)
                            if side is back and was_held:
                                self.answered.set()
            except OSError:
                return

    def _look(self, data):
        line = data.split(b"\r\n", 1)[0].decode(errors="replace")
        with self.news:
            self.lines.append(line)
            self.news.notify_all()
        if not self.held.match(line):
            return False
        self.release.wait(60 * SLOWER)
        return True

    def until(self, pattern):
        with self.news:
            assert self.news.wait_for(lambda: any(re.match(pattern, line) for line in self.lines), 60 * SLOWER), \
                f"nothing like {pattern!r} was asked: {self.lines[-20:]}"

    def close(self):
        self.release.set()
        self.listener.close()


@pytest.fixture
def relay(server, workdir):
    r = Relay(server, f"GET {MAPS}/absent ")
    conf = workdir / "relay.conf"
    conf.write_text("apiVersion: v1\nkind: Config\ncurrent-context: a\nusers: [{name: a, user: {}}]\n"
                    f"clusters: [{{name: a, cluster: {{server: 'http://127.0.0.1:{r.port}'}}}}]\n"
                    "contexts: [{name: a, context: {cluster: a, user: a}}]\n")
    with open(workdir / "manager.stderr", "w+b") as err:
        p = subprocess.Popen([PINTLE, "controller-manager", "--kubeconfig", str(conf)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=err)
        try:
            yield r
        finally:
            r.close()
            p.terminate()
            p.wait(20)
    said = (workdir / "manager.stderr").read_text()
    assert p.returncode == 0 and "Sanitizer" not in said and "runtime error" not in said, said[-6000:]


def reference(name, uid):
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}


def collect(raw, relay, owner):
    """Something that nobody owns comes and goes."""
    raw.post(MAPS, config_map(f"of-{owner}", ownerReferences=[reference(owner, "u-2")]))
    relay.until(f"GET {MAPS}/{owner} ")
    until("it is collected", lambda: raw.get(f"{MAPS}/of-{owner}").status == 404)


def test_a_dependent_that_was_given_another_owner_meanwhile_stays(raw, relay):
    """The answer "that owner is not there" is about the references that the dependent had then."""
    owner = raw.post(MAPS, config_map("owner")).json()["metadata"]["uid"]
    raw.post(MAPS, config_map("dependent", ownerReferences=[reference("absent", "u-1")]))
    relay.until(f"GET {MAPS}/absent ")  # what it finds is held back
    raw.patch(f"{MAPS}/dependent", {"metadata": {"ownerReferences": [reference("owner", owner)]}})
    collect(raw, relay, "nobody")  # so it has seen the change before that, in the same watch
    relay.release.set()
    assert relay.answered.wait(60 * SLOWER)
    collect(raw, relay, "no-one")  # so it is done with the answer
    assert [r["name"] for r in raw.get(f"{MAPS}/dependent").json()["metadata"]["ownerReferences"]] == ["owner"]
