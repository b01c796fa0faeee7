"""A cluster without nodes of flesh and blood: API server, controllers and scheduler are real, threads
play every kubelet and what makes volumes. What a Pod does is its image's name: `example/fail` fails, `example/done` ends well,
`example/stuck` never runs, `example/unready` runs and is not ready, anything else runs and is ready."""

import subprocess
import threading
import time
from datetime import datetime, timezone

from harness import PINTLE, SLOWER

TIMEOUT = 60 * SLOWER


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(o, kind):
    return next((c for c in o.get("status", {}).get("conditions", []) if c["type"] == kind), None)


def is_ready(pod):
    c = condition(pod, "Ready")
    return bool(c and c["status"] == "True")


class Process:
    """One of the program's components beside a server."""

    def __init__(self, server, name, *flags):
        self.server, self.name, self.flags = server, name, flags
        self.err = open(server.dir.parent / f"{name}.stderr", "a+b")
        self.start()

    def start(self):
        self.p = subprocess.Popen([PINTLE, self.name, "--kubeconfig", str(self.server.kubeconfig), *self.flags],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err)

    def kill(self):
        self.p.kill()
        self.p.wait()

    def stop(self):
        assert self.p.poll() is None, self.said()
        self.p.terminate()
        assert self.p.wait(20) == 0
        for word in ("Sanitizer", "runtime error", "cache has not seen"):
            assert word not in self.said(), self.said()[-6000:]
        self.err.close()

    def said(self):
        self.err.seek(0)
        return self.err.read().decode()


class Player(threading.Thread):
    """Plays a part of the cluster: look_at() hears of every object's states."""

    path = None

    def __init__(self, server):
        super().__init__(daemon=True)
        self.raw = server.raw()
        self.ending = False
        self.start()

    def run(self):
        while not self.ending:
            with self.raw.watch(self.path, sendInitialEvents="true", timeoutSeconds=1,
                                resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true") as w:
                while event := w.next():
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self.look_at(event["object"])
        self.raw.close()

    def end(self):
        self.ending = True
        self.join()


class Volumes(Player):
    """Each claim gets a volume of its own."""

    path = "/api/v1/persistentvolumeclaims"

    def look_at(self, claim):
        meta, spec, name = claim["metadata"], claim["spec"], "pv-" + claim["metadata"]["uid"]
        path = f"/api/v1/namespaces/{meta['namespace']}/persistentvolumeclaims/{meta['name']}"
        if spec.get("volumeName") or "deletionTimestamp" in meta:
            return
        self.raw.post("/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": {
            "accessModes": spec["accessModes"], "capacity": spec["resources"]["requests"],
            "hostPath": {"path": "/nowhere"}, "claimRef": {
                "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": meta["namespace"],
                "name": meta["name"], "uid": meta["uid"]}}})
        self.raw.patch(f"/api/v1/persistentvolumes/{name}/status", {"status": {"phase": "Bound"}})
        self.raw.patch(path, {"spec": {"volumeName": name}, "metadata": {"annotations": {
            "pv.kubernetes.io/bind-completed": "yes"}}})
        self.raw.patch(path + "/status", {"status": {"phase": "Bound", "capacity": spec["resources"]["requests"],
                                                     "accessModes": spec["accessModes"]}})


class Kubelets(Player):
    path = "/api/v1/pods"

    def look_at(self, pod):
        meta, path = pod["metadata"], f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/"
        if "deletionTimestamp" in meta:
            if meta.get("annotations", {}).get("slow") != "yes":
                self.raw.delete(path + meta["name"], {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})
            return
        if not pod["spec"].get("nodeName") or pod["status"].get("phase") != "Pending":
            return
        image = pod["spec"]["containers"][0]["image"].split(":")[0]
        if image == "example/stuck":
            return
        phase = {"example/fail": "Failed", "example/done": "Succeeded"}.get(image, "Running")
        ready = phase == "Running" and image != "example/unready"
        self.status(pod, phase, ready)

    def status(self, pod, phase, ready):
        self.raw.patch(f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status", {
            "metadata": {"uid": pod["metadata"]["uid"]},
            "status": {"phase": phase, "conditions": [
                {"type": "Ready", "status": str(ready), "lastTransitionTime": now()}]}}, kind="strategic-merge-patch")


class World:
    """A namespace in it, and the requests that tests make there."""

    def __init__(self, raw, namespace):
        self.raw, self.ns, self.nodes = raw, namespace, []

    def made(self, answer):
        assert answer.status in (200, 201, 202), answer
        return answer.json()

    def path(self, kind, name="", sub=""):
        group = {"pods": "/api/v1", "persistentvolumeclaims": "/api/v1", "events": "/api/v1",
                 "services": "/api/v1"}.get(kind, "/apis/apps/v1")
        return f"{group}/namespaces/{self.ns}/{kind}" + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")

    def create(self, kind, body):
        return self.made(self.raw.post(self.path(kind), body))

    def get(self, kind, name):
        return self.made(self.raw.get(self.path(kind, name)))

    def list(self, kind, **query):
        return {o["metadata"]["name"]: o for o in self.made(self.raw.get(self.path(kind), **query))["items"]}

    def patch(self, kind, name, body, sub="", how="merge-patch"):
        return self.made(self.raw.patch(self.path(kind, name, sub), body, kind=how))

    def delete(self, kind, name, **body):
        return self.made(self.raw.delete(self.path(kind, name), body or None))

    def until(self, kind, holds, path=None, timeout=TIMEOUT, **query):
        """Lists, then watches, until holds({name: object}); returns that."""
        path, end = path or self.path(kind), time.monotonic() + timeout
        listed = self.made(self.raw.get(path, **query))
        state = {o["metadata"]["name"]: o for o in listed["items"]}
        if holds(state):
            return state
        with self.raw.watch(path, resourceVersion=listed["metadata"]["resourceVersion"], **query) as w:
            while True:
                try:
                    event = w.next(max(0.1, end - time.monotonic()))
                except TimeoutError:
                    raise AssertionError(f"not within {timeout} s; there is {state}") from None
                assert event, "the watch ended"
                name = event["object"]["metadata"]["name"]
                state.pop(name, None)
                if event["type"] != "DELETED":
                    state[name] = event["object"]
                if holds(state):
                    return state

    def record(self, kind):
        """A watch of everything from now on, for replay()."""
        listed = self.made(self.raw.get(self.path(kind)))
        state = {o["metadata"]["name"]: o for o in listed["items"]}
        return state, self.raw.watch(self.path(kind), resourceVersion=listed["metadata"]["resourceVersion"])

    def replay(self, kind, recorded):
        """Every state {name: object} that there was between record() and now."""
        state, w = recorded
        last = sorted(self.list(kind))[0]
        self.patch(kind, last, {"metadata": {"annotations": {"the-end": "yes"}}})
        with w:
            while "the-end" not in state.get(last, {}).get("metadata", {}).get("annotations", {}):
                event = w.next(TIMEOUT)
                name = event["object"]["metadata"]["name"]
                state = {k: v for k, v in state.items() if k != name}
                if event["type"] != "DELETED":
                    state[name] = event["object"]
                yield state

    def status_of(self, kind, name, holds):
        """The object when its status is of its generation and holds(status)."""
        def fits(state):
            o = state.get(name)
            return o and o["status"].get("observedGeneration") == o["metadata"]["generation"] and holds(o["status"])
        return self.until(kind, fits)[name]

    def event(self, name, reason, text=""):
        return next(iter(self.until("events", lambda s: [e for e in s.values() if e["reason"] == reason and
                                                         text in e["message"]],
                                    fieldSelector=f"involvedObject.name={name}").values()))

    def node(self, name, taints=(), **labels):
        labels = {k.replace("__", "/").replace("_", "."): v for k, v in labels.items()}
        amounts = {"cpu": "64", "memory": "64Gi", "pods": "500"}
        status = {"status": {"capacity": amounts, "allocatable": amounts, "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": now()}]}}
        self.made(self.raw.post("/api/v1/nodes", {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
            "spec": {"taints": list(taints)}}))
        self.nodes.append(name)
        self.made(self.raw.patch(f"/api/v1/nodes/{name}/status", status))

    def patch_node(self, name, body):
        return self.made(self.raw.patch(f"/api/v1/nodes/{name}", body, kind="strategic-merge-patch"))

    def end(self):
        for name in self.nodes:
            self.raw.delete(f"/api/v1/nodes/{name}")
        self.made(self.raw.delete(f"/api/v1/namespaces/{self.ns}"))
        self.until(None, lambda s: self.ns not in s, path="/api/v1/namespaces")
        for v in self.made(self.raw.get("/api/v1/persistentvolumes"))["items"]:
            if v["spec"].get("claimRef", {}).get("namespace") == self.ns:
                self.raw.delete("/api/v1/persistentvolumes/" + v["metadata"]["name"])
