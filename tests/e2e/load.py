"""A steady load on an HTTP server: a new connection per request, so many a second, and connections that are kept alive.

    load.py HOST PORT RATE KEPT      until standard input ends; then {"requests": N, "failures": [...]} as JSON

A kept connection is opened anew when the server says `Connection: close`, as clients do; anything else that is not an
answer with 200 is a failure.
"""

import asyncio
import json
import sys
import time

TIMEOUT = 10


class Load:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.requests, self.failures, self.versions = 0, [], {}

    def fail(self, kind, e):
        self.failures.append(f"{time.time():.3f} {kind}: {type(e).__name__} {e}")

    async def ask(self, reader, writer, close):
        writer.write(b"GET / HTTP/1.1\r\nHost: hello\r\n" + (b"Connection: close\r\n" if close else b"") + b"\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200 "), head
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:])}
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        self.requests += 1
        self.versions[body["version"]] = self.versions.get(body["version"], 0) + 1
        return fields.get("connection", "").lower() != "close"

    async def once(self):
        writer = None
        try:
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                await self.ask(reader, writer, True)
        except Exception as e:
            self.fail("new", e)
        finally:
            if writer:
                writer.close()

    async def kept(self, stop):
        writer = None
        while not stop.is_set():
            try:
                async with asyncio.timeout(TIMEOUT):
                    if not writer:
                        reader, writer = await asyncio.open_connection(self.host, self.port)
                    if not await self.ask(reader, writer, False):
                        writer.close()
                        writer = None
            except Exception as e:
                self.fail("kept", e)
                if writer:
                    writer.close()
                writer = None
            await asyncio.sleep(0.05)
        if writer:
            writer.close()


async def main(host, port, rate, kept):
    load, stop, tasks = Load(host, port), asyncio.Event(), set()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: (stop.set(), loop.remove_reader(sys.stdin)))
    keepers = [asyncio.create_task(load.kept(stop)) for _ in range(kept)]
    due = loop.time()
    while not stop.is_set():
        task = asyncio.create_task(load.once())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += 1 / rate
        await asyncio.sleep(max(0, due - loop.time()))
    await asyncio.gather(*keepers, *tasks)
    print(json.dumps({"requests": load.requests, "versions": load.versions, "failures": load.failures}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
