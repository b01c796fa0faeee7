#!/usr/bin/env python3
"""A small web server with the manners that a rolling update needs: it says when it is ready, and on SIGTERM it goes on
serving until nobody sends it anything new, answers what it has begun, and only then ends."""

import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("VERSION", "0")
GREETING = os.environ.get("GREETING", "Hello")  # from the ConfigMap, fixed when the container starts
GREETING_FILE = "/etc/hello/greeting"           # the same as a file, which follows the ConfigMap
TOKEN_FILE = "/var/run/hello/token"             # from the Secret
# How long proxies may take to hear that this Pod is on its way out. 0: end at once.
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "5"))
draining = threading.Event()


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().strip()
    except OSError:
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept alive
    timeout = 60
    disable_nagle_algorithm = True

    def answer(self, code, body):
        data = (json.dumps(body) + "\n").encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if draining.is_set():  # the next request goes to somebody else
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/ready":
            self.answer(503 if draining.is_set() else 200, {"ready": not draining.is_set()})
        elif self.path == "/secret":
            wanted = read(TOKEN_FILE)
            ok = wanted and self.headers.get("Authorization") == f"Bearer {wanted}"
            self.answer(200 if ok else 403, {"message": "the cat knows" if ok else "who are you?"})
        elif self.path == "/":
            self.answer(200, {"message": f"{GREETING}, world!", "file": read(GREETING_FILE), "version": VERSION,
                              "pod": socket.gethostname(), "client": self.client_address[0]})
        else:
            self.answer(404, {"message": "nothing here"})

    def log_message(self, format, *args):
        if self.path != "/ready":
            print(f"{self.client_address[0]} {format % args}", flush=True)


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # server_close() waits for answers that have begun
    block_on_close = True


def main():
    server = Server(("", 8080), Handler)

    def drain():
        time.sleep(DRAIN_SECONDS)
        server.shutdown()

    def on_term(_signum, _frame):
        if DRAIN_SECONDS == 0:
            os._exit(0)
        if not draining.is_set():
            draining.set()
            Handler.timeout = 1  # connections that stay silent from now on are closed
            threading.Thread(target=drain).start()

    signal.signal(signal.SIGTERM, on_term)
    print(f"hello {VERSION} serves on 8080", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print("drained, bye", flush=True)


if __name__ == "__main__":
    sys.exit(main())
