"""Median ms from the POST of a Pod to the watch's event that its container runs: pod_start_time.py KUBECONFIG N."""

import base64
import http.client
import json
import re
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

text = Path(sys.argv[1]).read_text()
host, port = re.search(r"server: https://([^:\s]+):(\d+)", text).groups()


def part(key):
    f = tempfile.NamedTemporaryFile()
    f.write(base64.b64decode(re.search(key + r":\s*(\S+)", text).group(1)))
    f.flush()
    return f


with part("certificate-authority-data") as ca, part("client-certificate-data") as crt, part("client-key-data") as key:
    context = ssl.create_default_context(cafile=ca.name)
    context.load_cert_chain(crt.name, key.name)


def connect():
    return http.client.HTTPSConnection(host, int(port), context=context, timeout=30)


def request(connection, method, path, body=None):
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status < 300, (answer.status, data)


PODS = "/api/v1/namespaces/default/pods"
api, watcher = connect(), connect()
watcher.request("GET", PODS + "?watch=true")
events = watcher.getresponse()


def until(name, wanted):
    while True:
        event = json.loads(events.readline())
        if event["object"]["metadata"]["name"] == name and wanted(event):
            return


def is_running(event):
    return any("running" in s["state"] for s in event["object"]["status"].get("containerStatuses", []))


took = []
for i in range(int(sys.argv[2]) + 2):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{i}"},
           "spec": {"containers": [{"name": "c", "image": "busybox:1", "command": ["/bin/busybox", "sleep", "1000"]}]}}
    began = time.monotonic()
    request(api, "POST", PODS, pod)
    until(f"p{i}", is_running)
    took.append((time.monotonic() - began) * 1000)
    request(api, "DELETE", f"{PODS}/p{i}?gracePeriodSeconds=0")
    until(f"p{i}", lambda e: e["type"] == "DELETED")
print(f"{statistics.median(took[2:]):.1f}")  # the first ones find caches empty
