"""Runs the README's "A first chat" to the letter.

The blocks of that section say what to do in their first line: ```sh is for a shell, ```sh NAME
starts a device, ```json NAME is typed on that device, ```text NAME is what it must then show,
with … for anything.
"""

import re
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_SECONDS = 20


class Device:
    """A terminal with a WebSocket client in it."""

    def __init__(self, name, functions, command):
        self.name = name
        self.lines = []
        self.read_up_to = 0
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            ["bash", "-c", functions + "\n" + command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()

    def type(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, pattern):
        """Waits until a line not yet seen holds the parts of the pattern in order."""
        wanted = re.compile(".*".join(re.escape(part) for part in pattern.split("…")))
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.changed:
            while True:
                while self.read_up_to < len(self.lines):
                    line = self.lines[self.read_up_to]
                    self.read_up_to += 1
                    if wanted.search(line):
                        return
                if not self.changed.wait(deadline - time.monotonic()):
                    shown = "".join(self.lines)
                    sys.exit(f"{self.name} never showed {pattern}\nIt showed:\n{shown}")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)


def blocks_of(readme):
    section = readme.split("## A first chat\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", section, re.M | re.S)


def run(blocks):
    functions = ""
    devices = {}
    checked = 0
    for language, name, text in blocks:
        text = text.rstrip("\n")
        if language == "sh" and not name:
            shell = subprocess.run(
                ["bash", "-ec", text], check=True, text=True, stdout=subprocess.PIPE
            )
            print(shell.stdout, end="")
            functions += text + "\n" if "()" in text else ""
        elif language == "sh":
            devices[name] = Device(name, functions, text)
            devices[name].expect('"type":"AUTH_OK"')
        elif language == "json":
            devices[name].type(text)
        elif language == "text":
            for pattern in text.split("\n"):
                devices[name].expect(pattern)
                print(f"{name} showed {pattern}")
                checked += 1
    for device in devices.values():
        device.stop()
    return checked


def main():
    readme, binary = sys.argv[1:]
    with open(readme, encoding="utf-8") as file:
        blocks = blocks_of(file.read())
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen(
            [binary, "serve", "--data-dir", data], stdout=subprocess.PIPE, text=True
        )
        try:
            for line in server.stdout:
                if "Stop" in line:
                    break
            checked = run(blocks)
        finally:
            server.terminate()
            code = server.wait(PATIENCE_SECONDS)
    if checked < 8:
        sys.exit(f"only {checked} answers of the README were checked: has its form changed?")
    if code != 0:
        sys.exit(f"the server ended with {code}")
    print(f"the README's first chat works: {checked} answers as printed")


main()
