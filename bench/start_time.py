"""Times `pintle apiserver` from spawn to its first answered /readyz. argv: program, work directory."""
import socket
import ssl
import statistics
import subprocess
import sys
import time

program, work = sys.argv[1:]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answered(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as raw, context.wrap_socket(raw) as s:
            s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def start(directory, port):
    begin = time.perf_counter()
    server = subprocess.Popen(
        [program, "apiserver", "--data-dir", directory, "--secure-port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not answered(port):
            if server.poll() is not None or time.perf_counter() - begin > 10:
                sys.exit("the server did not become ready")
        return (time.perf_counter() - begin) * 1000
    finally:
        server.terminate()
        server.wait()


def median(label, directories):
    times = [start(d, free_port()) for d in directories]
    print(f"start ({label}): median={statistics.median(times):.0f} ms max={max(times):.0f} ms")
    return statistics.median(times)


first = median("fresh certificates", [f"{work}/fresh-{i}" for i in range(11)])
again = median("certificates at hand", [f"{work}/fresh-{i}" for i in range(11)])
print(f"start: ours={again:.0f} ms goal=100 ms; fresh ours={first:.0f} ms goal=200 ms")
