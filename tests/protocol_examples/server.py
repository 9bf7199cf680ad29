"""A server, the devices that talk with it, and what it was seen to say."""

import asyncio
import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

import websockets

PATIENCE_SECONDS = 20


class Wrong(Exception):
    """An example is not what the server does."""


class Server:
    """A process; whoever starts one stops it."""

    def __init__(self, binary, data, **settings):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PETREL_")}
        environment |= {f"PETREL_{name.upper()}": str(value) for name, value in settings.items()}
        command = [binary, "serve", "--data-dir", data, "--http", "127.0.0.1:0"]
        command += ["--gateway", "127.0.0.1:0", "--admin", "off", "--log", "error"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        )
        for line in self.process.stdout:
            if found := re.search(r"(http|ws)://([0-9.]+:[0-9]+)", line):
                setattr(self, found[1], found[2])
            if "Stop" in line:
                return
        raise Wrong(f"the server did not start: {self.process.wait(PATIENCE_SECONDS)}")

    def ask(self, method, path, body=None, token=None, on=None, kind="application/json"):
        """What is answered, also when it is a refusal."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{on or self.http}{path}", data, method=method)
        request.add_header("content-type", kind)
        if token:
            request.add_header("authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def stop(self):
        """Ends it in peace, or else by force."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        return code


class Device:
    """A session, and all that came over it."""

    async def open(self, server, seen, auth):
        self.seen, self.waiting, self.closed = seen, {}, asyncio.Event()
        self.last_id = 1000
        self.socket = await websockets.connect(f"ws://{server.ws}/ws", max_size=None)
        self.reading = asyncio.create_task(self.read())
        return await self.ask({"type": "AUTH", "v": 1, **auth})

    async def read(self):
        try:
            async for text in self.socket:
                frame = json.loads(text)
                self.seen.frame(frame)
                waiting = self.waiting.pop(frame.get("id"), None)
                if waiting and not waiting.done():
                    waiting.set_result(frame)
        except websockets.ConnectionClosed:
            pass
        if (reason := self.socket.close_reason or "").startswith("{"):
            self.seen.add("close", json.loads(reason))
        self.closed.set()

    async def ask(self, frame):
        """The answer to a request, found by its id."""
        frame = dict(frame)
        if "id" not in frame or frame["id"] in self.waiting:
            self.last_id += 1
            frame["id"] = self.last_id
        answer = self.waiting[frame["id"]] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps(frame))
        return await asyncio.wait_for(answer, PATIENCE_SECONDS)

    async def must(self, frame):
        answer = await self.ask(frame)
        if answer["type"] == "ERROR":
            raise Wrong(f"to prepare an example: {frame} was answered by {answer}")
        return answer

    async def tell(self, frame):
        """Sends what is not answered, unless it is wrong; returns the refusal, if any."""
        frame = {**frame, "id": "not answered"}
        refused = asyncio.ensure_future(self.ask(frame))
        # Requests may overtake each other, but by no more than this.
        for _ in range(2):
            await self.must({"type": "PING"})
        if refused.done():
            return refused.result()
        refused.cancel()
        self.waiting.pop("not answered", None)
        return None

    async def close(self):
        await self.socket.close()
        await asyncio.wait_for(self.closed.wait(), PATIENCE_SECONDS)
