"""Jobs and CronJobs against a real API server, with a real controller manager. There is no kubelet here: the
tests say how Pods ended, long ago, so that no back-off is waited for."""

import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from kubernetes import client

from harness import IS_SANITIZED, PINTLE, SLOWER
from test_controllers import await_state, condition

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


class Manager:
    def __init__(self, server, log):
        self.server, self.log, self.process = server, open(log, "a+b"), None

    def start(self):
        self.process = subprocess.Popen(
            [PINTLE, "controller-manager", "--kubeconfig", str(self.server.kubeconfig)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        assert self.process.poll() is None, self.said()
        self.process.terminate()
        assert self.process.wait(20) == 0
        for word in ("Sanitizer", "runtime error", "cache has not seen"):
            assert word not in self.said(), self.said()[-6000:]

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()


@pytest.fixture(scope="module")
def manager(server, workdir):
    m = Manager(server, workdir / "manager.stderr").start()
    yield m
    m.stop()


@pytest.fixture
def own_manager(own_server, scratch):
    """One that a test may kill and start again."""
    m = Manager(own_server, scratch / "manager.stderr").start()
    yield m
    m.kill()


class Place:
    """A namespace with the API's parts at hand."""

    def __init__(self, api, name):
        self.name, self.core, self.batch = name, client.CoreV1Api(api), client.BatchV1Api(api)

    def create(self, name="job", template=None, **spec):
        return self.batch.create_namespaced_job(self.name, job(name, template, **spec))

    def change(self, name="job", **spec):
        return self.batch.patch_namespaced_job(name, self.name, {"spec": spec})

    def jobs(self, holds):
        return await_state(self.batch.list_namespaced_job, holds, self.name)

    def job(self, holds, name="job"):
        return self.jobs(lambda s: name in s and holds(s[name]))[name]

    def pods(self, holds):
        return await_state(self.core.list_namespaced_pod, holds, self.name)

    def active(self, n):
        """n Pods that neither ended nor are leaving."""
        return alive(self.pods(lambda s: len(alive(s)) == n))

    def now(self):
        return {p.metadata.name: p for p in self.core.list_namespaced_pod(self.name).items}

    def run(self, pods):
        for p in pods:
            self.core.patch_namespaced_pod_status(p.metadata.name, self.name, {"status": {
                "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})

    def end(self, pods, phase="Succeeded", code=None, minutes_ago=30, conditions=()):
        code = (0 if phase == "Succeeded" else 1) if code is None else code
        at = (datetime.now(timezone.utc) - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for p in pods:
            status = {"phase": phase, "conditions": list(conditions), "containerStatuses": [{
                "name": "c", "image": "x", "imageID": "", "ready": False, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "finishedAt": at, "startedAt": at}}}]}
            try:
                self.core.patch_namespaced_pod_status(p.metadata.name, self.name, {"status": status})
            except client.ApiException as e:
                assert e.status == 404, e  # one too many, gone meanwhile

    def fail(self, pods, **how):
        self.end(pods, "Failed", **how)

    def vanish(self, pods):
        """What a kubelet does last."""
        for p in pods:
            try:
                self.core.delete_namespaced_pod(p.metadata.name, self.name, grace_period_seconds=0)
            except client.ApiException as e:
                assert e.status == 404, e

    def bind(self, pod, node):
        self.core.create_namespaced_binding(self.name, {
            "metadata": {"name": pod.metadata.name}, "target": {"kind": "Node", "name": node}}, _preload_content=False)

    def told(self, reason, kind="Job"):
        state = await_state(self.core.list_namespaced_event, lambda s: any(
            e.reason == reason and e.involved_object.kind == kind for e in s.values()), self.name)
        return [e for e in state.values() if e.reason == reason and e.involved_object.kind == kind]


def alive(state):
    return {n: p for n, p in state.items()
            if p.status.phase in ("Pending", "Running") and not p.metadata.deletion_timestamp}


def by_index(pods):
    return {int(p.metadata.annotations[INDEX]): p for p in pods.values()}


def job(name="job", template=None, **spec):
    meta = spec.pop("metadata", {})
    return {"metadata": {"name": name, **meta},
            "spec": {**spec, "template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "example/work:1"}],
                **(template or {})}}}}


def is_true(o, kind):
    c = condition(o, kind)
    return c is not None and c.status == "True"


def is_complete(j):
    return is_true(j, "Complete")


def has_failed(j):
    return is_true(j, "Failed")


@pytest.fixture(scope="module")
def busy(api, manager):
    """Nothing of what the tests made may be held up by a finalizer in the end."""
    yield api
    await_state(client.CoreV1Api(api).list_namespace, lambda s: all(
        n == "default" or n.startswith("kube-") for n in s))


@pytest.fixture
def node(busy):
    """One without a kubelet: its Pods stay until they are made to go."""
    core = client.CoreV1Api(busy)
    core.create_node({"metadata": {"name": "silent"}})
    yield "silent"
    core.delete_node("silent")


@pytest.fixture
def place(busy):
    core = client.CoreV1Api(busy)
    name = core.create_namespace({"metadata": {"generateName": "jobs-"}}).metadata.name
    await_state(core.list_namespaced_service_account, lambda s: "default" in s, name)
    p = Place(busy, name)
    yield p
    for pod in core.list_namespaced_pod(name).items:
        if pod.spec.node_name:
            p.vanish([pod])
    core.delete_namespace(name)


# --- counting ---

def test_a_job_runs_until_enough_have_succeeded(place):
    place.create(parallelism=2, completions=3, backoffLimit=6)
    pods = place.active(2)
    j = place.job(lambda j: j.status.active == 2)
    assert j.status.start_time and j.status.ready == 0 and j.status.terminating == 0
    for p in pods.values():
        ref, = p.metadata.owner_references
        assert (ref.kind, ref.api_version, ref.name, ref.uid, ref.controller, ref.block_owner_deletion) == \
            ("Job", "batch/v1", "job", j.metadata.uid, True, True)
        assert p.metadata.finalizers == [FINALIZER] and p.metadata.name.startswith("job-")
        assert p.metadata.labels["batch.kubernetes.io/job-name"] == "job"
    place.run(pods.values())
    place.job(lambda j: j.status.ready == 2)
    first, second = pods.values()
    place.end([first])
    j = place.job(lambda j: j.status.succeeded == 1 and j.status.active == 2)
    assert not j.status.uncounted_terminated_pods.succeeded and not is_complete(j)
    place.fail([second])
    j = place.job(lambda j: j.status.failed == 1 and j.status.active == 2)
    place.end(alive(place.now()).values())
    j = place.job(is_complete)
    s = j.status
    assert (s.succeeded, s.failed, s.active or 0, s.ready, s.terminating) == (3, 1, 0, 0, 0)
    assert s.completion_time == condition(j, "Complete").last_transition_time
    assert [(c.type, c.reason, c.message) for c in s.conditions] == [
        (kind, "CompletionsReached", "Reached expected number of succeeded pods")
        for kind in ("SuccessCriteriaMet", "Complete")]
    assert not any(p.metadata.finalizers for p in place.now().values())
    assert {e.message for e in place.told("Completed")} == {"Job completed"}
    assert {e.message for e in place.told("SuccessfulCreate")} == {f"Created pod: {n}" for n in place.now()}


def test_without_completions_the_first_success_decides(place):
    place.create(parallelism=3, completions=None)
    pods = list(place.active(3).values())
    place.end(pods[:1])
    place.job(lambda j: j.status.succeeded == 1 and j.status.active == 2)
    place.fail(pods[1:2])  # is not replaced any more
    place.job(lambda j: j.status.failed == 1 and j.status.active == 1)
    assert not is_complete(place.job(lambda j: True))
    place.end(pods[2:])
    assert place.job(is_complete).status.succeeded == 2
    assert len(place.now()) == 3


def test_more_and_fewer_at_once(place):
    place.create(parallelism=1, completions=8)
    place.active(1)
    place.change(parallelism=4)
    place.active(4)
    place.job(lambda j: j.status.active == 4)
    place.change(parallelism=2)
    place.pods(lambda s: len(s) == 2)  # gone without a count
    j = place.job(lambda j: j.status.active == 2)
    assert not j.status.failed and not j.status.uncounted_terminated_pods.failed
    place.change(parallelism=0)
    place.pods(lambda s: not s)


def test_a_pod_that_is_deleted_has_failed(place):
    place.create(backoffLimit=3)
    name, = place.active(1)
    place.core.delete_namespaced_pod(name, place.name)
    place.job(lambda j: j.status.failed == 1)


# --- limits ---

def test_too_many_failures_end_a_job(place):
    place.create(parallelism=2, completions=2, backoffLimit=1)
    pods = place.active(2)
    place.fail(list(pods.values())[:1])
    pods = place.pods(lambda s: len(s) == 3 and len(alive(s)) == 2)
    place.fail(list(alive(pods).values())[:1])
    j = place.job(has_failed)
    assert j.status.failed == 3, "the one that still ran was ended"
    assert not j.status.active and j.status.terminating == 0
    assert [(c.type, c.reason, c.message) for c in j.status.conditions] == [
        (kind, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        for kind in ("FailureTarget", "Failed")]
    assert not any(p.metadata.finalizers for p in place.now().values())
    e, = place.told("BackoffLimitExceeded")
    assert (e.type, e.message) == ("Warning", "Job has reached the specified backoff limit")


def test_restarts_count_where_pods_start_anew(place):
    place.create(backoffLimit=2, template={"restartPolicy": "OnFailure"})
    p, = place.active(1).values()
    place.core.patch_namespaced_pod_status(p.metadata.name, place.name, {"status": {
        "phase": "Running", "containerStatuses": [{
            "name": "c", "image": "x", "imageID": "", "ready": False, "restartCount": 2, "state": {}}]}})
    assert condition(place.job(has_failed), "Failed").reason == "BackoffLimitExceeded"


def test_a_deadline_ends_a_job(place):
    place.create(activeDeadlineSeconds=1)
    j = place.job(has_failed)
    c = condition(j, "Failed")
    assert (c.reason, c.message) == ("DeadlineExceeded", "Job was active longer than specified deadline")
    place.pods(lambda s: not s)


def test_an_end_waits_for_that_of_its_pods(place, node):
    place.create(activeDeadlineSeconds=1)
    p, = place.active(1).values()
    place.bind(p, node)
    j = place.job(lambda j: is_true(j, "FailureTarget") and j.status.terminating == 1 and j.status.failed == 1)
    assert not has_failed(j) and not j.status.active
    place.pods(lambda s: not s[p.metadata.name].metadata.finalizers)
    place.vanish([p])
    assert condition(place.job(has_failed), "Failed").reason == "DeadlineExceeded"


def test_failures_are_waited_for_longer_and_longer(place):
    place.create(backoffLimit=6)
    p, = place.active(1).values()
    place.fail([p], minutes_ago=-1)  # ended in a minute: the next Pod comes 70 s from now
    place.job(lambda j: j.status.failed == 1 and not j.status.active)
    assert len(place.now()) == 1
    place.change(activeDeadlineSeconds=1)  # what waits is told of a change all the same
    place.job(has_failed)


# --- indexes ---

def test_indexes(place):
    place.create(completionMode="Indexed", parallelism=3, completions=5, backoffLimit=6,
                 template={"initContainers": [{"name": "i", "image": "x"}]})
    pods = by_index(place.active(3))
    assert sorted(pods) == [0, 1, 2]
    for i, p in pods.items():
        assert p.metadata.labels[INDEX] == str(i) and p.spec.hostname == f"job-{i}"
        assert p.metadata.name.startswith(f"job-{i}-")
        for c in p.spec.containers + p.spec.init_containers:
            env, = c.env
            assert env.name == "JOB_COMPLETION_INDEX"
            assert env.value_from.field_ref.field_path == f"metadata.labels['{INDEX}']"
    place.end([pods[0], pods[2]])
    place.job(lambda j: j.status.completed_indexes == "0,2" and j.status.succeeded == 2)
    place.fail([pods[1]])
    place.job(lambda j: j.status.failed == 1)
    pods = by_index(place.active(3))
    assert sorted(pods) == [1, 3, 4]
    place.end(pods.values())
    j = place.job(is_complete)
    assert (j.status.completed_indexes, j.status.succeeded, j.status.failed) == ("0-4", 5, 1)


def test_an_indexed_job_stretches(place):
    place.create(completionMode="Indexed", parallelism=2, completions=2)
    pods = by_index(place.active(2))
    place.end([pods[1]])
    place.job(lambda j: j.status.completed_indexes == "1")
    place.change(parallelism=4, completions=4)
    pods = by_index(place.active(3))
    assert sorted(pods) == [0, 2, 3]
    place.end([pods[3]])
    place.job(lambda j: j.status.completed_indexes == "1,3")
    place.change(parallelism=1, completions=1)  # what succeeded above that is forgotten
    place.job(lambda j: not j.status.completed_indexes and not j.status.succeeded)
    place.pods(lambda s: sorted(by_index(alive(s))) == [0])
    place.end([pods[0]])
    j = place.job(is_complete)
    assert (j.status.succeeded, j.status.completed_indexes) == (1, "0")


def test_an_index_fails_by_itself(place):
    place.create(completionMode="Indexed", parallelism=3, completions=3, backoffLimitPerIndex=1)
    pods = by_index(place.active(3))
    assert {p.metadata.annotations["batch.kubernetes.io/job-index-failure-count"] for p in pods.values()} == {"0"}
    place.fail([pods[1]])
    again = place.pods(lambda s: len(s) == 4 and 1 in by_index(alive(s)))
    again = by_index(alive(again))[1]
    assert again.metadata.annotations["batch.kubernetes.io/job-index-failure-count"] == "1"
    place.end([pods[0], pods[2]])
    place.fail([again])
    j = place.job(has_failed)
    c = condition(j, "Failed")
    assert (c.reason, c.message) == ("FailedIndexes", "Job has failed indexes")
    assert (j.status.failed_indexes, j.status.completed_indexes, j.status.failed) == ("1", "0,2", 2)
    assert not any(p.metadata.finalizers for p in place.now().values())


def test_too_many_indexes_fail(place):
    place.create(completionMode="Indexed", parallelism=3, completions=10, backoffLimitPerIndex=0, maxFailedIndexes=1)
    pods = by_index(place.active(3))
    place.fail([pods[0]])
    place.job(lambda j: j.status.failed_indexes == "0")
    pods = by_index(place.active(3))
    assert sorted(pods) == [1, 2, 3], "a failed index is not tried again"
    place.fail([pods[2]])
    j = place.job(has_failed)
    assert condition(j, "Failed").reason == "MaxFailedIndexesExceeded"
    assert j.status.failed_indexes == "0,2" and j.status.failed == 4


# --- policies ---

def on_codes(action, *codes, operator="In"):
    return {"action": action, "onExitCodes": {"operator": operator, "values": list(codes)}}


def test_a_failure_that_ends_the_job(place):
    place.create(parallelism=2, completions=2, podFailurePolicy={"rules": [
        on_codes("Ignore", 3), on_codes("FailJob", 42), on_codes("Count", 0, operator="NotIn")]})
    pods = list(place.active(2).values())
    name = pods[0].metadata.name
    place.fail(pods[:1], code=42)
    place.pods(lambda s: s[pods[1].metadata.name].metadata.deletion_timestamp if pods[1].spec.node_name
               else pods[1].metadata.name not in s)
    j = place.job(has_failed)
    for kind in ("FailureTarget", "Failed"):
        c = condition(j, kind)
        assert c.reason == "PodFailurePolicy"
        assert c.message == f"Container c for pod {place.name}/{name} failed with exit code 42 matching FailJob " \
            "rule at index 1"


def test_a_failure_that_does_not_count(place):
    place.create(backoffLimit=0, podFailurePolicy={"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        on_codes("Ignore", 7)]})
    first, = place.active(1).values()
    place.fail([first], conditions=[{"type": "DisruptionTarget", "status": "True"}])
    second = place.pods(lambda s: len(alive(s)) == 1 and first.metadata.name not in alive(s))
    place.fail(alive(second).values(), code=7)
    third = place.pods(lambda s: len(s) == 3 and len(alive(s)) == 1)
    j = place.job(lambda j: j.status.active == 1)
    assert not j.status.failed
    place.pods(lambda s: not s[first.metadata.name].metadata.finalizers)
    place.fail(alive(third).values(), code=8)
    j = place.job(has_failed)
    assert condition(j, "Failed").reason == "BackoffLimitExceeded" and j.status.failed == 1


def test_a_failure_that_ends_an_index(place):
    place.create(completionMode="Indexed", parallelism=2, completions=2, backoffLimitPerIndex=5,
                 podFailurePolicy={"rules": [on_codes("FailIndex", 42), on_codes("Ignore", 7)]})
    pods = by_index(place.active(2))
    place.fail([pods[0]], code=7)
    state = place.pods(lambda s: len(s) == 3)
    again = by_index(alive(state))[0]
    assert again.metadata.annotations["batch.kubernetes.io/job-index-failure-count"] == "0"
    assert again.metadata.annotations["batch.kubernetes.io/job-index-ignored-failure-count"] == "1"
    place.fail([again], code=42)
    place.job(lambda j: j.status.failed_indexes == "0")
    place.end([pods[1]])
    assert condition(place.job(has_failed), "Failed").reason == "FailedIndexes"


@pytest.mark.parametrize("rule,wanted", (({"succeededIndexes": "0,2"}, [0, 2]), ({"succeededCount": 1}, [1]),
                                         ({"succeededIndexes": "0-2", "succeededCount": 2}, [2, 1])))
def test_a_job_that_succeeds_early(place, rule, wanted):
    place.create(completionMode="Indexed", parallelism=4, completions=4, successPolicy={
        "rules": [{"succeededIndexes": "3", "succeededCount": 1}, rule]})
    pods = by_index(place.active(4))
    for i in wanted:
        place.end([pods[i]])
    j = place.job(is_complete)
    for kind in ("SuccessCriteriaMet", "Complete"):
        c = condition(j, kind)
        assert (c.reason, c.message) == ("SuccessPolicy", "Matched rules at index 1")
    assert (j.status.succeeded, j.status.failed, j.status.active, j.status.terminating) == \
        (len(wanted), None, None, 0), j.status
    place.pods(lambda s: len(s) == len(wanted) and not any(p.metadata.finalizers for p in s.values()))


def test_a_replacement_waits_for_the_end(place, node):
    place.create(podReplacementPolicy="Failed", backoffLimit=4)
    p, = place.active(1).values()
    place.bind(p, node)
    place.run([p])
    place.job(lambda j: j.status.ready == 1)
    place.core.delete_namespaced_pod(p.metadata.name, place.name)
    j = place.job(lambda j: j.status.terminating == 1)
    assert not j.status.active and not j.status.failed and len(place.now()) == 1
    place.fail([p])
    place.job(lambda j: j.status.failed == 1 and j.status.active == 1 and j.status.terminating == 0)
    place.vanish([p])


# --- suspended ---

def test_a_job_that_rests(place):
    place.create(suspend=True, parallelism=2, completions=2)
    j = place.job(lambda j: is_true(j, "Suspended"))
    assert j.status.start_time is None and not place.now()
    c = condition(j, "Suspended")
    assert (c.reason, c.message) == ("JobSuspended", "Job suspended")
    # While it rests its scheduling may still be changed, and the Pods follow.
    place.change(template={"spec": {"nodeSelector": {"disk": "fast"}}})
    place.change(suspend=False)
    pods = place.active(2)
    assert all(p.spec.node_selector == {"disk": "fast"} for p in pods.values())
    j = place.job(lambda j: condition(j, "Suspended").status == "False" and j.status.active == 2)
    assert condition(j, "Suspended").reason == "JobResumed" and j.status.start_time
    place.end(list(pods.values())[:1])
    place.job(lambda j: j.status.succeeded == 1)
    place.change(suspend=True)
    j = place.job(lambda j: is_true(j, "Suspended") and not j.status.active)
    assert j.status.start_time is None and not j.status.failed and j.status.succeeded == 1
    place.pods(lambda s: not alive(s))
    assert {e.message for e in place.told("Suspended")} == {"Job suspended"}
    place.told("Resumed")
    place.told("SuccessfulDelete")
    place.change(suspend=False)
    place.end(place.active(1).values())
    assert place.job(is_complete).status.succeeded == 2


def test_nothing_to_do_is_done_at_once(place):
    place.create("none", completions=0)
    place.create("rests", completions=0, suspend=True)
    for name in ("none", "rests"):
        j = place.job(is_complete, name)
        assert not j.status.succeeded and condition(j, "Complete").reason == "CompletionsReached"
    assert not place.now()


# --- whose Pods ---

def test_pods_change_hands(place):
    made = place.create(parallelism=1, completions=2)
    own, = place.active(1).values()
    labels = {"batch.kubernetes.io/controller-uid": made.metadata.uid}
    place.core.patch_namespaced_pod(own.metadata.name, place.name, {"metadata": {"labels": {
        "batch.kubernetes.io/controller-uid": None}}})
    state = place.pods(lambda s: len(s) == 2 and not s[own.metadata.name].metadata.owner_references)
    assert not state[own.metadata.name].metadata.finalizers, "who is let go loses the finalizer"
    other = next(p for n, p in state.items() if n != own.metadata.name)
    place.core.patch_namespaced_pod(own.metadata.name, place.name, {"metadata": {"labels": labels}})
    place.pods(lambda s: len(s) == 1)  # one too many, whichever
    place.core.create_namespaced_pod(place.name, {
        "metadata": {"name": "stray", "labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}})
    place.pods(lambda s: len(alive(s)) == 1)
    assert other.metadata.owner_references[0].uid == made.metadata.uid


def test_pods_that_ended_before_they_were_taken_count(place):
    for name in ("good", "bad"):
        place.core.create_namespaced_pod(place.name, {
            "metadata": {"name": name, "labels": {"mine": "yes"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}})
    pods = place.now()
    place.end([pods["good"]])
    place.fail([pods["bad"]])
    body = job(parallelism=1, completions=3, manualSelector=True, selector={"matchLabels": {"mine": "yes"}})
    body["spec"]["template"]["metadata"] = {"labels": {"mine": "yes"}}
    place.batch.create_namespaced_job(place.name, body)
    j = place.job(lambda j: (j.status.succeeded, j.status.failed, j.status.active) == (1, 1, 1))
    assert all(p.metadata.owner_references[0].uid == j.metadata.uid for p in place.now().values())


def test_pods_with_wrong_indexes_go(place):
    made = place.create(completionMode="Indexed", parallelism=2, completions=2)
    own = place.active(2)
    for index in ("0", "7", "x"):
        place.core.create_namespaced_pod(place.name, {
            "metadata": {"generateName": "odd-", "annotations": {INDEX: index},
                         "labels": {"batch.kubernetes.io/controller-uid": made.metadata.uid}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}})
    place.pods(lambda s: len(s) == 2 and sorted(by_index(s)) == [0, 1])
    j = place.job(lambda j: j.status.active == 2)
    assert not j.status.failed and own


@pytest.mark.parametrize("policy", ("Background", "Foreground", "Orphan"))
def test_pods_of_a_job_that_goes(place, policy):
    place.create(parallelism=2, completions=2)
    pods = place.active(2)
    place.batch.delete_namespaced_job("job", place.name, propagation_policy=policy)
    place.jobs(lambda s: not s)
    if policy == "Orphan":
        place.pods(lambda s: sorted(s) == sorted(pods) and not any(p.metadata.finalizers for p in s.values()))
    else:
        place.pods(lambda s: not s)


def test_somebody_elses_job(place):
    place.create("theirs", managedBy="example.com/other", parallelism=2, completions=2)
    place.create("ours", managedBy="kubernetes.io/job-controller")
    place.end(place.active(1).values())
    place.job(is_complete, "ours")
    theirs = place.job(lambda j: True, "theirs")
    assert theirs.status.start_time is None and theirs.status.active is None
    # A Pod with the finalizer that belongs to it is left alone, too.
    place.core.create_namespaced_pod(place.name, {
        "metadata": {"name": "kept", "finalizers": [FINALIZER], "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": "theirs", "uid": theirs.metadata.uid,
            "controller": True}]},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}})
    place.core.create_namespaced_pod(place.name, {
        "metadata": {"name": "orphan", "finalizers": [FINALIZER]},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}})
    state = place.pods(lambda s: "orphan" in s and not s["orphan"].metadata.finalizers)
    assert state["kept"].metadata.finalizers == [FINALIZER]
    place.core.patch_namespaced_pod("kept", place.name, {"metadata": {"finalizers": None}})


# --- afterwards ---

def test_finished_jobs_go_when_their_time_is_over(place):
    place.create("soon", ttlSecondsAfterFinished=1)
    place.create("later", ttlSecondsAfterFinished=1000)
    place.end(place.active(2).values())
    place.jobs(lambda s: "later" in s and is_complete(s["later"]) and "soon" not in s)
    place.change("later", ttlSecondsAfterFinished=0)
    place.jobs(lambda s: not s)
    place.pods(lambda s: not s)


# --- the manager dies ---

def is_noted(j):
    u = j.status.uncounted_terminated_pods
    return u and (u.succeeded or u.failed) or j.status.completed_indexes


@pytest.mark.skipif(IS_SANITIZED, reason="a death is as good without sanitizers")
@pytest.mark.parametrize("mode", ("NonIndexed", "Indexed"))
def test_no_pod_is_lost_or_counted_twice(own_server, own_manager, mode):
    """The manager is killed again and again while it counts."""
    from kubernetes import config

    n, failed = 60, 12
    configuration = client.Configuration()
    config.load_kube_config(str(own_server.kubeconfig), client_configuration=configuration)
    m = own_manager
    with client.ApiClient(configuration) as api:
        place = Place(api, "default")
        await_state(place.core.list_namespaced_service_account, lambda s: "default" in s, "default")
        place.create(parallelism=20, completions=n, completionMode=mode, backoffLimit=1000)
        left, kills = failed, 0
        waiting = lambda: [p for p in alive(place.now()).values() if p.status.phase == "Pending"]
        while not is_complete(place.job(lambda j: is_complete(j) or waiting())):
            todo = waiting()[:20]
            for p in todo[:len(todo) // 2]:
                if left:
                    place.fail([p])
                    left -= 1
                else:
                    place.end([p])
            ended = {p.metadata.name for p in todo[:len(todo) // 2]}
            # Killed before it knows, when it has noted who ended, and when a Pod has lost its finalizer.
            if ended and kills % 3 == 1:
                place.job(lambda j: is_noted(j) or is_complete(j))
            elif ended and kills % 3 == 2:
                place.pods(lambda s: not all(s[name].metadata.finalizers for name in ended))
            m.kill()
            kills += 1
            place.end(todo[len(todo) // 2:])
            m.start()
        j = place.job(is_complete)
        assert not left and kills >= 3
        # What was one too many went without being counted, and is not there any more.
        ended = [p for p in place.now().values() if p.status.phase in ("Succeeded", "Failed")]
        succeeded = [p for p in ended if p.status.phase == "Succeeded"]
        assert j.status.failed == len(ended) - len(succeeded), j.status
        if mode == "Indexed":
            assert j.status.completed_indexes == f"0-{n - 1}" and j.status.succeeded == n
            assert {int(p.metadata.annotations[INDEX]) for p in succeeded} == set(range(n))
        else:
            assert j.status.succeeded == len(succeeded) >= n, j.status
        place.pods(lambda s: not any(p.metadata.finalizers for p in s.values()))
    m.stop()


# --- CronJobs ---

YEAR = datetime.now(timezone.utc).year
NEW_YEAR = datetime(YEAR, 1, 1, tzinfo=timezone.utc)
NEW_YEARS_JOB = f"cron-{int(NEW_YEAR.timestamp()) // 60}"
IN_SUMMER = f"{YEAR - 1}-07-01T00:00:00Z"


class Cron:
    """A CronJob of a place, made at rest: what happens begins with wake()."""

    def __init__(self, place, schedule="0 0 1 1 *", template=None, name="cron", **spec):
        self.place, self.batch, self.name = place, place.batch, name
        spec.setdefault("timeZone", "UTC")
        self.made = self.batch.create_namespaced_cron_job(place.name, {
            "metadata": {"name": name},
            "spec": {"schedule": schedule, "suspend": True, "jobTemplate": template or {
                "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": job()["spec"]}, **spec}})

    def status(self, **status):
        self.batch.patch_namespaced_cron_job_status(self.name, self.place.name, {"status": status})

    def change(self, **spec):
        self.batch.patch_namespaced_cron_job(self.name, self.place.name, {"spec": spec})

    def wake(self, last=IN_SUMMER, **status):
        """Its last time was in the summer of the year before."""
        self.status(lastScheduleTime=last, **status)
        self.change(suspend=False)
        return self

    def child(self, name, **spec):
        body = job(name, **spec)
        body["metadata"]["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "CronJob", "name": self.name,
                                                "uid": self.made.metadata.uid, "controller": True}]
        made = self.batch.create_namespaced_job(self.place.name, body)
        return {"kind": "Job", "apiVersion": "batch/v1", "name": name, "namespace": self.place.name,
                "uid": made.metadata.uid}

    def until(self, holds):
        return await_state(self.batch.list_namespaced_cron_job, lambda s: holds(s[self.name]),
                           self.place.name)[self.name]


def names(cron):
    return [ref.name for ref in cron.status.active or []]


def test_a_cron_job_starts_a_job_and_follows_it(place):
    cron = Cron(place).wake()
    c = cron.until(lambda c: names(c))
    assert names(c) == [NEW_YEARS_JOB] and c.status.last_schedule_time == NEW_YEAR
    j = place.job(lambda j: j.status.active == 1, NEW_YEARS_JOB)
    assert j.metadata.labels["a"] == "b" and j.metadata.annotations["c"] == "d"
    assert j.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == f"{YEAR}-01-01T00:00:00Z"
    ref, = j.metadata.owner_references
    assert (ref.kind, ref.name, ref.uid, ref.controller, ref.block_owner_deletion) == \
        ("CronJob", "cron", c.metadata.uid, True, True)
    active, = c.status.active
    assert (active.kind, active.api_version, active.uid) == ("Job", "batch/v1", j.metadata.uid)
    assert [e.message for e in place.told("SuccessfulCreate", "CronJob")] == [f"Created job {NEW_YEARS_JOB}"]
    place.end(place.active(1).values())
    j = place.job(is_complete, NEW_YEARS_JOB)
    c = cron.until(lambda c: c.status.last_successful_time)
    assert c.status.last_successful_time == j.status.completion_time
    cron.until(lambda c: not names(c))
    assert [e.message for e in place.told("SawCompletedJob", "CronJob")] == \
        [f"Saw completed job: {NEW_YEARS_JOB}, condition: Complete"]
    # Its time is past: the same is not started again, whatever else changes.
    cron.change(successfulJobsHistoryLimit=0)
    place.jobs(lambda s: not s)
    place.told("SuccessfulDelete", "CronJob")
    # What belongs to it goes with it.
    place.batch.delete_namespaced_cron_job("cron", place.name)
    await_state(place.batch.list_namespaced_cron_job, lambda s: not s, place.name)


def test_the_schedule_itself(place):
    cron = Cron(place, schedule="@every 1s")
    cron.change(suspend=False)
    place.jobs(lambda s: len(s) >= 1)
    cron.until(lambda c: names(c) and c.status.last_schedule_time)


def test_a_job_that_was_made_before_a_crash_is_not_made_twice(place):
    cron = Cron(place)
    ref = cron.child(NEW_YEARS_JOB)
    cron.wake()
    c = cron.until(lambda c: names(c))
    assert c.status.active[0].uid == ref["uid"] and c.status.last_schedule_time == NEW_YEAR
    place.told("UnexpectedJob", "CronJob")
    assert list(place.jobs(lambda s: True)) == [NEW_YEARS_JOB]


@pytest.mark.parametrize("policy", ("Allow", "Forbid", "Replace"))
def test_one_still_runs(place, policy):
    cron = Cron(place, concurrencyPolicy=policy)
    cron.wake(active=[cron.child("before")])
    if policy == "Forbid":
        place.told("JobAlreadyActive", "CronJob")
        c = cron.until(lambda c: True)
        assert names(c) == ["before"] and c.status.last_schedule_time.year == YEAR - 1
        place.batch.delete_namespaced_job("before", place.name, propagation_policy="Background")
        assert [e.message for e in place.told("MissingJob", "CronJob")] == ["Active job went missing: before"]
    left = ["before", NEW_YEARS_JOB] if policy == "Allow" else [NEW_YEARS_JOB]
    c = cron.until(lambda c: names(c) == left)
    assert sorted(place.jobs(lambda s: len(s) == len(left))) == sorted(left)


def test_history_is_kept_short(place):
    cron = Cron(place, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1)
    for i in range(4):
        cron.child(f"good-{i}", completions=0)
    for i in range(3):
        cron.child(f"bad-{i}", activeDeadlineSeconds=0)
    state = place.jobs(lambda s: len(s) == 3 and all(is_complete(j) or has_failed(j) for j in s.values()))
    assert [n.split("-")[0] for n in sorted(state)] == ["bad", "good", "good"]
    cron.change(failedJobsHistoryLimit=0)
    place.jobs(lambda s: len(s) == 2)


def test_too_many_starts_were_missed(place):
    cron = Cron(place, schedule="* * * * *").wake()
    cron.until(lambda c: names(c))
    assert "too many missed start times" in place.told("TooManyMissedTimes", "CronJob")[0].message


def test_too_late_is_never(place):
    cron = Cron(place, startingDeadlineSeconds=100).wake()
    late = Cron(place, name="after").wake()  # made later: when this one has started, the other has not
    late.until(lambda c: names(c))
    assert not names(cron.until(lambda c: True))


def test_a_changed_schedule_begins_with_its_next_time(place):
    cron = Cron(place, schedule="0 0 1 1 *").wake(last=NEW_YEAR.strftime("%Y-%m-%dT%H:%M:%SZ"))
    cron.change(schedule="* 1-23/2 * * *" if datetime.now(timezone.utc).hour % 2 == 0 else "* */2 * * *")
    other = Cron(place, name="after").wake()
    other.until(lambda c: names(c))
    assert not names(cron.until(lambda c: True)), "the hours since New Year are not made up for"


def test_time_zones(place):
    try:
        cron = Cron(place, timeZone="Asia/Kathmandu").wake()
    except client.ApiException as e:
        assert e.status == 422
        pytest.skip("no such zone here")
    # Midnight is there before it is in Greenwich.
    name = f"cron-{int(NEW_YEAR.timestamp() - (5 * 60 + 45) * 60) // 60}"
    cron.until(lambda c: names(c) == [name])
    j = place.job(lambda j: True, name)
    assert j.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == f"{YEAR}-01-01T00:00:00+05:45"


def test_kubectl_shows_jobs(busy, kubectl):
    core = client.CoreV1Api(busy)
    ns = "show-" + kubectl.version.replace(".", "-")
    core.create_namespace({"metadata": {"name": ns}})
    place = Place(busy, ns)
    k = lambda *words: kubectl("-n", ns, *words)
    k("create", "cronjob", "tick", "--image=example/work:1", "--schedule=0 0 1 1 *")
    k("create", "job", "once", "--from=cronjob/tick")
    assert place.job(lambda j: j.status.active == 1, "once").metadata.annotations[
        "cronjob.kubernetes.io/instantiate"] == "manual"
    header, row = k("get", "jobs").splitlines()
    assert header.split() == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert row.split()[:3] == ["once", "Running", "0/1"]
    header, row = k("get", "cronjobs").splitlines()
    assert header.split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "SCHEDULE", "AGE"]
    assert row.split()[:9] == ["tick", "0", "0", "1", "1", "*", "<none>", "False", "0"]
    place.end(place.active(1).values())
    k("wait", "--for=condition=complete", "job/once", "--timeout=15s")
    assert k("get", "jobs", "--no-headers").split()[:3] == ["once", "Complete", "1/1"]
    told = k("describe", "job", "once")
    for line in ("Pods Statuses:    0 Active (0 Ready) / 1 Succeeded / 0 Failed", "Controlled By:    CronJob/tick",
                 "Created pod: once-", "Job completed"):
        assert line in told, told
    assert "Saw a job that the controller did not create" in k("describe", "cronjob", "tick")
    core.delete_namespace(ns)


# --- on nodes ---

def work(name, command, **spec):
    body = job(name, **spec)
    body["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=1, containers=[
        {"name": "c", "image": "busybox:1", "command": ["sh", "-c", command]}])
    return {"apiVersion": "batch/v1", "kind": "Job", **body}


WAIT = f"--timeout={30 * SLOWER}s"


def test_containers_know_their_index(kube):
    kube("apply", "-f", "-", stdin=work("many", "echo $JOB_COMPLETION_INDEX at $(hostname)", completions=4,
                                        parallelism=4, completionMode="Indexed"))
    kube("wait", "job/many", "--for=condition=complete", WAIT)
    for i in range(4):
        assert kube("logs", "-l", f"{INDEX}={i}").strip() == f"{i} at many-{i}"
    assert kube("get", "jobs", "--no-headers").split()[:3] == ["many", "Complete", "4/4"]


def test_exit_codes_of_containers_decide(kube):
    kube("apply", "-f", "-", stdin=work("early", "exit 42", backoffLimit=6,
                                        podFailurePolicy={"rules": [on_codes("FailJob", 42)]}))
    kube("apply", "-f", "-", stdin=work("long", "trap 'exit 0' TERM; sleep 1000 & wait", parallelism=2, completions=2))
    kube("wait", "job/early", "--for=condition=failed", WAIT)
    assert "exit code 42" in kube("get", "job/early", "-o", "jsonpath={.status.conditions[?(@.type=='Failed')].message}")
    kube("wait", "job/long", "--for=jsonpath={.status.ready}=2", WAIT)
    kube("patch", "job/long", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    kube("wait", "job/long", "--for=condition=suspended", WAIT)
    kube("patch", "job/long", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    kube("wait", "job/long", "--for=jsonpath={.status.ready}=2", WAIT)
    kube("delete", "job/long", WAIT)


def test_a_cron_job_on_a_node(kube):
    template = work("x", "date")
    kube("apply", "-f", "-", stdin={"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": {
        "schedule": "@every 1s", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": template["spec"]}}})
    kube("wait", "cronjob/tick", "--for=jsonpath={.status.lastSuccessfulTime}", WAIT)
    kube("delete", "cronjob/tick", WAIT)
