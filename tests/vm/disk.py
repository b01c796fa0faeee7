"""A disk that loses what was not flushed: an NBD server on a file, with the write cache of a real disk.

Writes stay in memory until the guest flushes (or the cache is full, oldest first, as a disk may at any time).
At a power cut each cached block is on the platter or not, by chance: what a guest may rely on is what it flushed.
"""

import os
import random
import socket
import struct
import threading
from pathlib import Path

BLOCK = 4096
CACHE_BLOCKS = 64 * 1024

MAGIC, HAVE_OPTIONS, OPTION_REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
REQUEST_MAGIC, REPLY_MAGIC = 0x25609513, 0x67446698
OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
REP_ACK, REP_INFO, REP_UNSUPPORTED = 1, 3, 1 << 31 | 1
INFO_EXPORT = 0
HAS_FLAGS, SEND_FLUSH = 1, 4
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
EINVAL = 22


class Disk:
    """Serves one guest at a time on a Unix socket, for as long as it lives."""

    def __init__(self, image, path, seed):
        self.fd = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.fd).st_size
        self.cache = {}
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.path = Path(path)
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.error = None
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.listener.close()
        self.path.unlink(missing_ok=True)
        with self.lock:
            os.close(self.fd)
            self.fd = -1

    def cut(self):
        """What is cached is lost, or not; how many blocks were."""
        with self.lock:
            lost = 0
            for block, data in self.cache.items():
                if self.random.random() < 0.5:
                    os.pwrite(self.fd, data, block * BLOCK)
                else:
                    lost += 1
            self.cache.clear()
            return lost

    def flush(self):
        with self.lock:
            self._write_out(len(self.cache))

    # --- blocks; under the lock ---

    def _write_out(self, n):
        for block in list(self.cache)[:n]:
            os.pwrite(self.fd, self.cache.pop(block), block * BLOCK)

    def _pieces(self, offset, length):
        while length:
            block, at = divmod(offset, BLOCK)
            n = min(length, BLOCK - at)
            yield block, at, n
            offset, length = offset + n, length - n

    def _read(self, offset, length):
        data = bytearray(os.pread(self.fd, length, offset))
        data.extend(bytes(length - len(data)))
        to = 0
        for block, at, n in self._pieces(offset, length):
            if cached := self.cache.get(block):
                data[to:to + n] = cached[at:at + n]
            to += n
        return data

    def _write(self, offset, data):
        done = 0
        for block, at, n in self._pieces(offset, len(data)):
            if n == BLOCK:
                new = data[done:done + n]
            else:
                new = bytearray(self._read(block * BLOCK, BLOCK))
                new[at:at + n] = data[done:done + n]
            self.cache.pop(block, None)  # the newest is last
            self.cache[block] = new
            done += n
        if len(self.cache) > CACHE_BLOCKS:
            self._write_out(CACHE_BLOCKS // 2)

    # --- the protocol ---

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # closed
            try:
                with connection:
                    self._talk(connection)
            except (EOFError, ConnectionError):
                pass  # the guest is gone: cut() or a next one follows
            except Exception as e:  # told by whoever waits for the guest
                self.error = e

    def _talk(self, connection):
        def receive(n):
            data = bytearray()
            while len(data) < n:
                if not (more := connection.recv(min(n - len(data), 1 << 20))):
                    raise EOFError
                data += more
            return bytes(data)

        def reply(option, kind, data=b""):
            connection.sendall(struct.pack(">QIII", OPTION_REPLY, option, kind, len(data)) + data)

        connection.sendall(struct.pack(">QQH", MAGIC, HAVE_OPTIONS, 1))
        receive(4)
        while True:
            _, option, length = struct.unpack(">QII", receive(16))
            receive(length)
            if option == OPT_EXPORT_NAME:
                connection.sendall(struct.pack(">QH", self.size, HAS_FLAGS | SEND_FLUSH) + bytes(124))
                break
            if option in (OPT_INFO, OPT_GO):
                reply(option, REP_INFO, struct.pack(">HQH", INFO_EXPORT, self.size, HAS_FLAGS | SEND_FLUSH))
                reply(option, REP_ACK)
                if option == OPT_GO:
                    break
            elif option == OPT_ABORT:
                reply(option, REP_ACK)
                return
            else:
                reply(option, REP_UNSUPPORTED)
        while True:
            magic, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", receive(28))
            assert magic == REQUEST_MAGIC
            data, error = b"", 0
            if kind == DISCONNECT:
                return
            written = receive(length) if kind == WRITE else None
            with self.lock:
                if kind == READ:
                    data = self._read(offset, length)
                elif kind == WRITE:
                    self._write(offset, written)
                elif kind == FLUSH:
                    self._write_out(len(self.cache))
                else:
                    error = EINVAL
            connection.sendall(struct.pack(">IIQ", REPLY_MAGIC, error, cookie) + bytes(data))
