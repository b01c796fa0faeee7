"""`pintle proxy` with SERVICES Services of two endpoints: from its start until all is in the kernel, its memory, and from
the change of one EndpointSlice at the API to the kernel's word that it has it. In a network namespace of its own.

    services_time.py PINTLE KUBECONFIG URL CA CERT KEY SERVICES
"""
import http.client
import json
import os
import select
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time
from urllib.parse import urlparse

pintle, kubeconfig, url, ca, cert, key, services = sys.argv[1:8]
tls = ssl.create_default_context(cafile=ca)
tls.load_cert_chain(cert, key)
at = urlparse(url)
api = http.client.HTTPSConnection(at.hostname, at.port, context=tls)
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
NETLINK_NETFILTER, NFNLGRP_NFTABLES, NEWGEN = 12, 7, 10 << 8 | 15


def call(method, path, o):
    api.request(method, path, json.dumps(o), {"Content-Type": "application/json"})
    r = api.getresponse()
    text = r.read()
    assert r.status in (200, 201), text
    return json.loads(text)


def endpoints(i, last):
    return {"metadata": {"name": f"s{i}", "labels": {"kubernetes.io/service-name": f"s{i}"}}, "addressType": "IPv4",
            "endpoints": [{"addresses": [f"10.200.{i >> 8}.{i & 255}"]}, {"addresses": [f"10.{last}.{i >> 8}.{i & 255}"]}],
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]}


def until_generation(monitor):
    """The kernel tells of each transaction at its end."""
    while True:
        m = monitor.recv(1 << 20)
        while len(m) >= 16:
            size, kind = struct.unpack("IH", m[:6])
            if kind == NEWGEN:
                return
            m = m[(size + 3) & ~3:]


n = int(services)
for i in range(n):
    call("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": f"s{i}"}, "spec": {"ports": [{"port": 80}]}})
    call("POST", SLICES, endpoints(i, 201))

monitor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
monitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33, 1 << 28)
begin = time.monotonic()
proxy = subprocess.Popen([pintle, "proxy", "--kubeconfig", kubeconfig, "--nft-table", "bench", "--metrics-bind-address",
                          "127.0.0.1:10249"])


def metric(name):
    try:
        c = http.client.HTTPConnection("127.0.0.1", 10249, timeout=10)
        c.request("GET", "/metrics")
        lines = c.getresponse().read().decode().splitlines()
        c.close()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))
    except ConnectionRefusedError:
        return 0


try:
    while not metric("kubeproxy_sync_full_proxy_rules_duration_seconds_count"):
        assert proxy.poll() is None
        select.select([], [], [], 0.01)
    ready = time.monotonic() - begin
    pss = sum(int(line.split()[1]) for line in open(f"/proc/{proxy.pid}/smaps_rollup") if line.startswith("Pss:"))
    monitor.bind((0, 1 << (NFNLGRP_NFTABLES - 1)))
    took = []
    for k in range(101):
        begin = time.monotonic()
        call("PUT", f"{SLICES}/s{n // 2}", endpoints(n // 2, 202 + k % 2))
        until_generation(monitor)
        took.append((time.monotonic() - begin) * 1000)
    took.sort()
    print(f"start_to_kernel_s={ready:.2f} elements={metric('pintle_proxy_elements '):.0f} pss_kib={pss} "
          f"change_p50_ms={statistics.median(took):.2f} change_p99_ms={took[-2]:.2f}")
finally:
    proxy.terminate()
    proxy.wait()
