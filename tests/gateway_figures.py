"""Measures what an idle connection and a message cost the server, beside a bare echo
server in the same run: the table of docs/benchmarks.md, "The gateway".

    make bench-gateway                   # five minutes, an idle machine, perf on the PATH
    python3 tests/gateway_figures.py --conns 2000 --seconds 2    # a quick look

Needs the release binaries, Linux, and `perf` (for counts of system calls; without it
those columns stay empty). Each server runs with a fresh data directory and is ended again.
"""

import argparse
import contextlib
import json
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PETREL, WSBENCH = "target/release/petrel", "target/release/wsbench"


class Server:
    """A server process: its address and what it uses."""

    def __init__(self, arguments, pattern, log):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while not (found := re.search(pattern, pathlib.Path(log).read_text())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server did not start:\n{pathlib.Path(log).read_text()}")
            time.sleep(0.05)
        self.url = found.group(1)

    def memory(self):
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def perf(self, seconds):
        """CPU seconds used and system calls made in the next `seconds`, each per second."""
        before, started = self.cpu(), time.monotonic()
        calls = None
        if shutil.which("perf"):
            said = subprocess.run(
                ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p",
                 str(self.process.pid), "--", "sleep", str(seconds)],
                capture_output=True, text=True, check=False).stderr
            found = re.search(r"^(\d+),", said, re.MULTILINE)
            calls = int(found.group(1)) if found else None
        else:
            time.sleep(seconds)
        passed = time.monotonic() - started
        return (self.cpu() - before) / passed, calls / passed if calls else None

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def petrel(*more):
    with tempfile.TemporaryDirectory() as data:
        server = Server(
            [PETREL, "serve", "--bench-issuer", "--data-dir", data, "--http", "127.0.0.1:0",
             "--gateway", "127.0.0.1:0", "--admin", "off", *more],
            r"WebSocket +(\S+)[^$]*Stop", f"{data}.log")
        server.options = ["--data-dir", data, "--insecure"]
        try:
            yield server
        finally:
            server.stop()
            pathlib.Path(f"{data}.log").unlink()


@contextlib.contextmanager
def echo():
    with tempfile.TemporaryDirectory() as folder:
        server = Server([WSBENCH, "sink"], r"(ws://\S+)", f"{folder}/log")
        server.options = ["--adapter", "echo"]
        try:
            yield server
        finally:
            server.stop()


def kernel_memory():
    """What the kernel keeps for sockets and the like, for both ends, in bytes."""
    slab = int(re.search(r"Slab:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    sockets = re.search(r"TCP:.* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text())
    return slab * 1024 + int(sockets.group(1)) * resource.getpagesize()


@contextlib.contextmanager
def bench(server, *arguments):
    with tempfile.TemporaryDirectory() as results:
        process = subprocess.Popen(
            [WSBENCH, *arguments, "--target", server.url, *server.options, "--no-ceiling",
             "--output", "json", "--out-dir", results],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        run = argparse.Namespace(process=process)
        try:
            yield run
        finally:
            out, said = process.communicate(timeout=120)
        if process.returncode not in (0, 5):
            sys.exit(f"wsbench {' '.join(arguments)}: exit code {process.returncode}\n{said}")
        run.report = json.loads(out)
        run.invalid = run.report["verdict"]["invalid"]


def memory_rows(conns):
    rows = []
    for name, more in (("plain", ()), ("TLS", ("--tls", "self-signed"))):
        with petrel(*more) as server:
            before, kernel = server.memory(), kernel_memory()
            # Connections stand, idle; then all of them talk for ten seconds; then silence.
            ramp = max(1, conns // 3600)
            with bench(server, "single-e2e", "--conns", str(conns), "--max-cps", "4000",
                       "--ramp", f"{ramp}s", "--duration", f"{ramp + 28}s", "--rate", str(conns // 2),
                       "--stages", "7s:0,1ms:1,8s:1,1ms:0,12s:0", "--ping-interval", "60s") as run:
                time.sleep(ramp + 5)
                idle, idle_kernel = server.memory(), kernel_memory()
                time.sleep(19)
                after = server.memory()
            live = run.report["counters"]["connectionsFinal"]
            rows.append((name, live, (idle - before) / live, (idle_kernel - kernel) / live,
                         (after - before) / live, run.report["deliveries"]["delivered"]))
    return rows


def cost_rows(seconds):
    kinds = [
        ("one under way", 200, ["--in-flight", "1"]),
        ("16 under way", 200, ["--in-flight", "16"]),
        ("open loop, 2,000/s", 200, ["--rate", "2000"]),
    ]
    rows = []
    for name, conns, options in kinds:
        common = ["--conns", str(conns), "--ramp", "1s", "--max-cps", "2000",
                  "--duration", f"{seconds + 4}s", *options]
        for what, place, scenario in (("bare echo", echo, "messaging"), ("Petrel", petrel, "single-e2e")):
            with place() as server:
                rows.append((what, name, *cost(server, seconds, scenario, *common)))
    with petrel() as server:
        rows.append(("Petrel", "a group of 200, 1,000/s", *cost(
            server, seconds, "group-fanout", "--conns", "200", "--group-size", "200",
            "--group-senders", "20", "--rate", "1000", "--ramp", "1s", "--max-cps", "2000",
            "--duration", f"{seconds + 4}s")))
    return rows


def cost(server, seconds, *arguments):
    with bench(server, *arguments) as run:
        time.sleep(3)
        cpu, calls = server.perf(seconds)
    sent, delivered = (run.report["rates"][f"{kind}PerSecond"] for kind in ("sent", "delivered"))
    return (sent, delivered, cpu * 1e6 / delivered, calls / delivered if calls else None,
            "INVALID" if run.invalid else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--conns", type=int, default=18000)
    parser.add_argument("--seconds", type=int, default=6)
    options = parser.parse_args()

    print("| connections | bytes of server memory each, idle | of kernel memory, both ends | after each has talked |")
    print("|---|---|---|---|")
    for name, live, idle, kernel, after, delivered in memory_rows(options.conns):
        print(f"| {live:,} {name} | {idle:,.0f} | {kernel:,.0f} | {after:,.0f} ({delivered:,} messages) |", flush=True)

    print("\n| server | load | messages/s | deliveries/s | server CPU, µs a delivery | system calls a delivery |")
    print("|---|---|---|---|---|---|")
    for what, name, sent, delivered, cpu, calls, note in cost_rows(options.seconds):
        count = f"{calls:.2f}" if calls is not None else ""
        print(f"| {what} | {name} | {sent:,.0f} | {delivered:,.0f} | {cpu:.1f} | {count} | {note}", flush=True)


if __name__ == "__main__":
    main()
