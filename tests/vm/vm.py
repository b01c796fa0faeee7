"""A guest in qemu, and commands run in it."""

import itertools
import json
import queue
import socket
import subprocess
import threading
import time

from disk import Disk

BOOT_SECONDS = 900


class Failed(Exception):
    """A command of the guest ended with another code than 0, or not in time."""


class Command:
    """One that runs in the guest. Its output comes in pieces."""

    def __init__(self, vm, id, text):
        self.vm, self.id, self.text = vm, id, text
        self.pieces = queue.Queue()
        self.out = ""
        self.code = None

    def step(self, timeout):
        """Waits for a piece; false: it has ended, or the guest has."""
        try:
            message = self.pieces.get(timeout=timeout)
        except queue.Empty:
            raise Failed(f"no end in time of: {self.text}\n{self.out}") from None
        self.out += message.get("out", "")
        self.code = message.get("code")
        return "out" in message

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.step(max(end - time.monotonic(), 0.01)):
            pass
        return self.code


class Vm:
    """`directory` has disk.img, vmlinuz and initrd.img; sockets and the console's log go there too."""

    def __init__(self, directory, cpus, memory_mib, seed, forward=None):
        self.directory = directory
        self.cpus, self.memory_mib = cpus, memory_mib
        self.forward = forward  # (port of this machine, port of the guest)
        self.disk = Disk(directory / "disk.img", directory / "disk.sock", seed)
        self.process = None
        self.port = self.reader = None
        self.boots = queue.Queue()
        self.commands = {}
        self.ids = itertools.count(1)
        self.console = directory / "console.log"
        self.console.write_bytes(b"")

    # --- power ---

    def start(self, kernel_arguments=""):
        """Power on; the guest's boot id once it is there."""
        listener = socket.socket(socket.AF_UNIX)
        path = self.directory / "agent.sock"
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(1)
        log = open(self.directory / "qemu.log", "ab")
        net = "user,id=net,restrict=on"
        if self.forward:
            net += f",hostfwd=tcp:127.0.0.1:{self.forward[0]}-:{self.forward[1]}"
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",  # whatever becomes of us, it goes too
             "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", str(self.cpus),
             "-m", f"{self.memory_mib}M", "-nodefaults", "-no-user-config", "-display", "none",
             "-kernel", self.directory / "vmlinuz", "-initrd", self.directory / "initrd.img",
             "-append", f"root=/dev/vda rw console=ttyS0 panic=5 random.trust_cpu=on {kernel_arguments}",
             "-chardev", f"file,id=console,append=on,path={self.console}", "-serial", "chardev:console",
             "-blockdev", f"driver=nbd,node-name=disk,server.type=unix,server.path={self.disk.path}",
             "-device", "virtio-blk-pci,drive=disk",
             "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={path}",
             "-device", "virtserialport,chardev=agent,name=vm",
             "-device", "virtio-rng-pci",
             "-netdev", net, "-device", "virtio-net-pci,netdev=net,romfile="],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        listener.settimeout(60)
        try:
            self.port, _ = listener.accept()
        finally:
            listener.close()
            path.unlink(missing_ok=True)
        self.reader = threading.Thread(target=self._read, args=(self.port,), daemon=True)
        self.reader.start()
        return self.await_boot()

    def await_boot(self, timeout=BOOT_SECONDS):
        try:
            boot = self.boots.get(timeout=timeout)
        except queue.Empty:
            raise Failed(f"the guest does not boot; its console: {self.console}") from None
        if boot is None:
            raise Failed(f"qemu ended: {(self.directory / 'qemu.log').read_text()[-2000:]} {self.disk.error or ''}")
        return boot

    def cut(self):
        """Power off, at once. How many blocks of the disk's cache were lost."""
        self.process.kill()
        self.process.wait()
        self.reader.join()  # it says that nothing more comes
        self.port.close()
        lost = self.disk.cut()
        while not self.boots.empty():
            self.boots.get()
        return lost

    def is_off(self):
        return not self.process or self.process.poll() is not None

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.disk.close()

    # --- commands ---

    def _read(self, port):
        try:
            with port.makefile("rb") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "boot" in message:
                        self._end_all()  # those of the boot before
                        self.boots.put(message["boot"])
                    elif command := self.commands.get(message["id"]):
                        command.pieces.put(message)
        except (OSError, ValueError):
            pass  # it went while it was speaking
        self._end_all()
        self.boots.put(None)

    def _end_all(self):
        for command in list(self.commands.values()):
            command.pieces.put({})
        self.commands.clear()

    def begin(self, text):
        command = Command(self, next(self.ids), text)
        self.commands[command.id] = command
        self.port.sendall(json.dumps({"id": command.id, "run": text}).encode() + b"\n")
        return command

    def run(self, text, timeout=300):
        """(code, output)"""
        command = self.begin(text)
        try:
            command.wait(timeout)
        finally:
            self.commands.pop(command.id, None)
        return command.code, command.out

    def __call__(self, text, timeout=300):
        """What it printed; it must end well."""
        code, out = self.run(text, timeout)
        if code != 0:
            raise Failed(f"code {code} of: {text}\n{out}")
        return out

