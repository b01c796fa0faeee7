"""1,000 Services with addresses and a headless one with 100 endpoints, in the namespace bench."""
import http.client
import json
import ssl
import sys
from urllib.parse import urlparse

url, ca, cert, key = sys.argv[1:5]
tls = ssl.create_default_context(cafile=ca)
tls.load_cert_chain(cert, key)
at = urlparse(url)
c = http.client.HTTPSConnection(at.hostname, at.port, context=tls)


def post(path, o):
    c.request("POST", path, json.dumps(o), {"Content-Type": "application/json"})
    r = c.getresponse()
    text = r.read()
    assert r.status == 201, text


post("/api/v1/namespaces", {"metadata": {"name": "bench"}})
services = "/api/v1/namespaces/bench/services"
for i in range(1, 1001):
    post(services, {"metadata": {"name": f"s{i}"}, "spec": {"ports": [{"port": 80}]}})
post(services, {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None"}})
post("/apis/discovery.k8s.io/v1/namespaces/bench/endpointslices", {
    "metadata": {"name": "headless-a", "labels": {"kubernetes.io/service-name": "headless"}}, "addressType": "IPv4",
    "endpoints": [{"addresses": [f"10.1.0.{i}"]} for i in range(1, 101)], "ports": []})
