#!/usr/bin/env python3
"""Runs wsbench and Locust side by side against the same echo server (Python `websockets`)
and prints, for each, the memory of an idle connection and the CPU time of a message.

Needs `pip install locust websocket-client websockets`, and wsbench (WSBENCH names it).
Both are measured from outside, in the same way: the resident memory and the CPU time of
the generator's process, from /proc. The CPU time of a message is that of sending it and
of taking it back; start-up and connecting are left out by beginning to count when all
connections stand.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
WSBENCH = os.environ.get("WSBENCH", str(HERE / "../../target/release/wsbench"))
LOCUST = str(pathlib.Path(sys.executable).parent / "locust")
IDLE, TALKING, SECONDS = 1000, 100, 10

SERVER = """
import asyncio, websockets.asyncio.server as server
async def echo(socket):
    async for message in socket:
        await socket.send(message)
async def main():
    async with server.serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None) as running:
        print(running.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""


def memory(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connections(port):
    """Established connections to the server, by the kernel's own table."""
    wanted = f":{port:04X}"
    rows = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for row in rows if row.split()[2].endswith(wanted) and row.split()[3] == "01")


def wait_for(condition, patience_seconds=120):
    until = time.monotonic() + patience_seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the generator does not get there")
        time.sleep(0.05)


def wsbench(port, users, idle):
    more = ["connect-only", "--ping-interval", "0"] if idle else ["messaging", "--msg-interval", "100ms"]
    return [WSBENCH, *more, "--adapter", "echo", "--target", f"ws://127.0.0.1:{port}/", "--conns", str(users),
            "--ramp", "5s", "--duration", "60s", "--warmup", "0s", "--drain", "0s", "--no-ceiling"], {}


def locust(port, users, idle):
    command = [LOCUST, "--headless", "-f", str(HERE / "locustfile.py"), "-u", str(users), "-r", "200", "-t", "60s",
               "--only-summary"]
    return command, {"TARGET": f"ws://127.0.0.1:{port}/", "INTERVAL_SECONDS": "0" if idle else "0.1"}


def run(make, port, users, idle):
    command, more = make(port, users, idle)
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, env=os.environ | more, stdout=log, stderr=log)
        try:
            wait_for(lambda: connections(port) > 0)
            first = memory(child.pid), connections(port)
            wait_for(lambda: connections(port) >= users)
            time.sleep(2)
            if idle:
                return (memory(child.pid) - first[0]) / (users - first[1])
            began, used = time.monotonic(), cpu(child.pid)
            time.sleep(SECONDS)
            elapsed, used = time.monotonic() - began, cpu(child.pid) - used
            return used / elapsed
        finally:
            child.terminate()
            child.wait()


def main():
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(server.stdout.readline())
        rate = TALKING * 10
        print(f"{'':8} {'bytes per idle connection':>26} {'us CPU per message':>19} {'messages/s per core':>20}")
        for name, make in [("wsbench", wsbench), ("locust", locust)]:
            each = run(make, port, IDLE, True)
            wait_for(lambda: connections(port) == 0)
            cores = run(make, port, TALKING, False)
            wait_for(lambda: connections(port) == 0)
            print(f"{name:8} {each:26.0f} {cores / rate * 1e6:19.1f} {rate / cores:20.0f}", flush=True)
    finally:
        server.terminate()
        server.wait()


main()
