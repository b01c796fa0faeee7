"""What was acknowledged is there, whatever happens: kills, restarts, a full disk."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import PINTLE, SLOWER, Server, config_map, status_of

MAPS = "/api/v1/namespaces/default/configmaps"


def versions_of(listed):
    return {i["metadata"]["name"]: int(i["metadata"]["resourceVersion"]) for i in listed["items"]}


class Writer(threading.Thread):
    """Creates ConfigMaps until the server is gone; remembers what was acknowledged."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.raw, self.name, self.acknowledged = server.raw(timeout=10), name, {}
        self.failure = None

    def run(self):
        for i in range(100000):
            name = f"{self.name}-{i}"
            try:
                answer = self.raw.post(MAPS, config_map(name, {"filler": "x" * 500}))
            except OSError:
                break
            except Exception as e:  # http.client: the connection died within an answer
                self.failure = None if "IncompleteRead" in repr(e) or "BadStatus" in repr(e) or \
                    "Disconnected" in repr(e) else e
                break
            if answer.status != 201:
                self.failure = answer
                break
            self.acknowledged[name] = int(answer.json()["metadata"]["resourceVersion"])
        self.raw.close()


def test_kill_during_creates_loses_nothing_and_reuses_no_version(own_server):
    every = {}
    for round_ in range(4):
        writers = [Writer(own_server, f"r{round_}-w{i}") for i in range(4)]
        for w in writers:
            w.start()
        enough = time.monotonic() + 30 * SLOWER
        while sum(len(w.acknowledged) for w in writers) < 120:
            assert time.monotonic() < enough, "too few writes"
            writers[0].join(0.005)
        own_server.kill()
        for w in writers:
            w.join(15)
            assert w.failure is None, w.failure
        now = {name: v for w in writers for name, v in w.acknowledged.items()}
        assert len(set(now.values())) == len(now)  # one version each
        assert not set(now.values()) & set(every.values())
        every.update(now)
        own_server.start()
        with own_server.raw() as raw:
            listed = raw.get(MAPS).json()
        there = versions_of(listed)
        missing = set(every) - set(there)
        assert not missing, missing
        assert all(there[name] == v for name, v in every.items())
        # What was written but not acknowledged in time may be there; its version is its own.
        assert len(set(there.values())) == len(there)
        assert int(listed["metadata"]["resourceVersion"]) >= max(there.values())


def test_deletes_and_updates_survive_a_kill(own_server):
    with own_server.raw() as raw:
        for name in "abc":
            assert raw.post(MAPS, config_map(name, {"v": "1"})).status == 201
        assert raw.delete(f"{MAPS}/a").status == 200
        assert raw.patch(f"{MAPS}/b", {"data": {"v": "2"}}).status == 200
        before = raw.get(MAPS).json()
    own_server.kill()
    own_server.start()
    with own_server.raw() as raw:
        after = raw.get(MAPS).json()
        assert after["items"] == before["items"]
        assert [(i["metadata"]["name"], i["data"]["v"]) for i in after["items"]
                if i["metadata"]["name"] in "abc"] == [("b", "2"), ("c", "1")]


def test_watch_resumes_after_a_kill_and_after_a_clean_stop(own_server):
    """The machine went on, so history is whole: nothing missed, nothing twice."""
    for stop in (own_server.kill, own_server.stop):
        tag = stop.__name__
        with own_server.raw() as raw:
            start = raw.post(MAPS, config_map(f"{tag}-0")).json()["metadata"]["resourceVersion"]
            raw.post(MAPS, config_map(f"{tag}-1"))
            raw.patch(f"{MAPS}/{tag}-1", {"data": {"x": "y"}})
        stop()
        own_server.start()
        with own_server.raw() as raw:
            raw.delete(f"{MAPS}/{tag}-1")
            with raw.watch(MAPS, resourceVersion=start) as w:
                assert w.status == 200
                got = [(e["type"], e["object"]["metadata"]["name"]) for e in w.take(3)]
        assert got == [("ADDED", f"{tag}-1"), ("MODIFIED", f"{tag}-1"), ("DELETED", f"{tag}-1")]


def test_after_an_unclean_boot_older_watches_get_410(own_server):
    """A power cut: what was on tmpfs is gone, so versions jump and history is forgotten."""
    with own_server.raw() as raw:
        old = int(raw.post(MAPS, config_map("a")).json()["metadata"]["resourceVersion"])
        last = int(raw.post(MAPS, config_map("b")).json()["metadata"]["resourceVersion"])
    own_server.kill()
    own_server.forget()
    own_server.start()
    with own_server.raw() as raw:
        new = int(raw.post(MAPS, config_map("c")).json()["metadata"]["resourceVersion"])
        assert new > last + 1000  # past any version that may have been given out
        with raw.watch(MAPS, resourceVersion=old) as w:
            event = w.next() if w.status == 200 else {"type": "ERROR", "object": json.loads(w.body)}
        assert event["type"] == "ERROR"
        assert event["object"]["code"] == 410 and event["object"]["reason"] == "Expired"
        assert "too old resource version" in event["object"]["message"]
        token = raw.get(MAPS, limit=1, resourceVersion=old, resourceVersionMatch="Exact")
        status_of(token, 410, "Expired")
        assert {"a", "b", "c"} <= set(versions_of(raw.get(MAPS).json()))


def test_a_list_goes_on_when_its_version_is_forgotten(own_server):
    """A page's token is for one version; when that is gone the answer holds another, for what there is now."""
    with own_server.raw() as raw:
        for name in "abcd":
            raw.post(MAPS, config_map(name))
        first = raw.get(MAPS, limit=2).json()
        assert [i["metadata"]["name"] for i in first["items"]] == ["a", "b"]
    own_server.kill()
    own_server.forget()
    own_server.start()
    with own_server.raw() as raw:
        raw.delete(f"{MAPS}/c")
        raw.post(MAPS, config_map("e"))
        said = status_of(raw.get(MAPS, **{"limit": 2, "continue": first["metadata"]["continue"]}), 410, "Expired")
        again = said["metadata"]["continue"]
        rest, version = [], None
        while again:
            page = raw.get(MAPS, **{"limit": 1, "continue": again}).json()
            rest += [i["metadata"]["name"] for i in page["items"]]
            assert version in (None, page["metadata"]["resourceVersion"])  # from here on one version again
            version, again = page["metadata"]["resourceVersion"], page["metadata"].get("continue")
        assert rest[:2] == ["d", "e"], rest  # and what the server makes for itself behind


def test_version_of_lists_never_goes_back(own_server):
    """Over clean stops, kills and lost tmpfs, with only reads and deletes between."""
    seen = []
    for end in (own_server.stop, own_server.kill, own_server.kill, own_server.stop):
        with own_server.raw() as raw:
            raw.post(MAPS, config_map("x"))
            seen.append(int(raw.delete(f"{MAPS}/x").json()["details"] and
                            raw.get(MAPS).json()["metadata"]["resourceVersion"]))
        end()
        if len(seen) == 3:
            own_server.forget()
        own_server.start()
        with own_server.raw() as raw:
            seen.append(int(raw.get(MAPS).json()["metadata"]["resourceVersion"]))
    assert seen == sorted(seen), seen


def test_events_survive_a_kill_of_the_process(own_server):
    event = {"metadata": {"name": "e", "namespace": "default"}, "message": "m", "reason": "R",
             "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}}
    with own_server.raw() as raw:
        assert raw.post("/api/v1/namespaces/default/events", event).status == 201
    own_server.kill()
    own_server.start()
    with own_server.raw() as raw:
        assert raw.get("/api/v1/namespaces/default/events/e").json()["message"] == "m"
    assert own_server.stop() == 0
    own_server.start()
    with own_server.raw() as raw:
        assert raw.get("/api/v1/namespaces/default/events/e").json()["message"] == "m"


def test_ephemeral_keeps_nothing(scratch):
    s = Server(scratch / "d", ["--ephemeral"]).start()
    try:
        with s.raw() as raw:
            assert raw.post(MAPS, config_map("a")).status == 201
        assert s.stop() == 0
        s.start()
        with s.raw() as raw:
            status_of(raw.get(f"{MAPS}/a"), 404, "NotFound")
        assert s.stop() == 0
    finally:
        s.stop()
        s.forget()


# --- a full disk ---

class SmallDisk(Server):
    """The store's directory is a small tmpfs in a mount namespace of the server's own."""

    MIB = 40

    def command(self):
        store = self.dir / "store"
        store.mkdir(exist_ok=True)
        mount = f'mount -t tmpfs -o size={self.MIB}m,mode=700 pintle-test "$0" && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, str(store),
                *super().command()]

    def resize(self, mib):
        subprocess.run(["nsenter", "--mount", "--target", str(self.pid()), "mount", "-o",
                        f"remount,size={mib}m", str(self.dir / "store")], check=True)

    def forget(self):
        """The store's inode is only seen in the namespace that is gone: by device and number."""
        for base in ("/run", "/dev/shm"):
            for name in self.soft_names:
                shutil.rmtree(os.path.join(base, name), ignore_errors=True)

    soft_names = ()

    def note_soft(self):
        st = os.stat(f"/proc/{self.pid()}/root{self.dir}/store")
        self.soft_names = (f"pintle-{os.geteuid()}-{st.st_dev:x}-{st.st_ino:x}",)


def test_full_disk_refuses_writes_serves_reads_and_heals(scratch):
    s = SmallDisk(scratch / "d").init()
    try:
        s.start()
        s.note_soft()
        filler = {"filler": "x" * 900_000}
        with s.raw() as raw:
            assert raw.post(MAPS, config_map("first", {"a": "1"})).status == 201
            answers = []
            while not answers or answers[-1].status == 201:
                assert len(answers) < 200, "a 40 MiB disk took 180 MB"
                answers.append(raw.post(MAPS, config_map(f"f{len(answers)}", filler)))
            status = status_of(answers[-1], 507)
            assert "space" in status["message"], status
            full = len(answers) - 1
            assert full >= 5

            # Reads and watches go on, and so do deletes; small writes are refused as well or done.
            assert raw.get(f"{MAPS}/first").json()["data"] == {"a": "1"}
            assert len(raw.get(MAPS).json()["items"]) == full + 1
            with raw.watch(MAPS, resourceVersion=raw.get(MAPS).json()["metadata"]["resourceVersion"]) as w:
                assert raw.delete(f"{MAPS}/f0").status == 200
                assert (lambda e: (e["type"], e["object"]["metadata"]["name"]))(w.next()) == \
                    ("DELETED", "f0")
            assert raw.get("/healthz").status == 200
            status_of(raw.post(MAPS, config_map("again", filler)), 507)

            # Room comes back, and nobody has to restart anything.
            s.resize(120)
            assert raw.post(MAPS, config_map("healed", filler)).status == 201
            names = {i["metadata"]["name"] for i in raw.get(MAPS).json()["items"]}
            assert "healed" in names and "again" not in names and "f0" not in names
        assert s.stop() == 0, s.stderr()
    finally:
        s.kill()
        s.forget()


def test_renewals_of_leases_cost_no_disk_but_a_change_of_holder_does(own_server):
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "one", "renewTime": "2026-01-01T00:00:00.000000Z"}}

    def written():
        text = Path(f"/proc/{own_server.pid()}/io").read_text()
        return int(re.search(r"^write_bytes: (\d+)", text, re.M).group(1))

    with own_server.raw() as raw:
        assert raw.post(leases, lease).status == 201
        before = written()
        for second in range(1, 41):
            renewal = {"spec": {"renewTime": f"2026-01-01T00:00:{second:02}.000000Z"}}
            assert raw.patch(f"{leases}/a", renewal).status == 200
        assert written() - before < 10 * 4096
        before = written()
        for holder in range(10):
            assert raw.patch(f"{leases}/a", {"spec": {"holderIdentity": f"h{holder}"}}).status == 200
        assert written() - before >= 10 * 4096
    own_server.kill()
    own_server.start()
    with own_server.raw() as raw:
        assert raw.get(f"{leases}/a").json()["spec"]["holderIdentity"] == "h9"
