"""What docs/protocol.md says: its examples, which of them are requests, what answers them."""

import json
import os
import re
import sys

from server import Wrong

# What can't be caused here in seconds, and where it is tried instead.
UNSEEN = {
    "GAP": "a reader that is slow for minutes: crates/petrel/tests/it/delivery.rs",
    "ERROR server_busy": "an overload: crates/petrel/tests/it/limits.rs",
    "ERROR timeout": "a store that hangs: crates/petrel/tests/it/faults.rs",
}


class Example:
    def __init__(self, section, text, prose):
        self.section, self.prose = section, " ".join(prose)
        self.value = json.loads(text)
        # It was sent, and answered as it should be.
        self.has_run = False

    def __str__(self):
        return f"{self.section}: {json.dumps(self.value, ensure_ascii=False)}"


def read(path):
    """The examples, and the titles of sections that need one and have none."""
    examples, without = [], []
    title, lines, block, found = None, [], None, 0

    def end_section():
        if title and title.startswith("### `") and found == 0:
            without.append(title)

    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if block is not None:
                if line == "```":
                    examples.append(Example(title, "\n".join(block), lines))
                    block, found = None, found + 1
                else:
                    block.append(line)
            elif line == "```json":
                block = []
            elif re.match("##+ ", line):
                end_section()
                title, lines, found = line, [], 0
            else:
                lines.append(line)
    end_section()
    return examples, without


def requests_of(document):
    """The types that clients send, as the schema has them."""
    schema = os.path.join(os.path.dirname(document), "protocol.schema.json")
    with open(schema, encoding="utf-8") as file:
        frames = json.load(file)["$defs"]["ClientFrame"]["oneOf"]
    return {frame["properties"]["type"]["const"] for frame in frames}


REQUESTS = requests_of(sys.argv[1])


def kind_of(value):
    """What something is told apart by; None for what is no frame."""
    kind = value.get("type")
    if kind == "ACK":
        return f"ACK {value['ackType']}"
    if kind == "EVENT":
        return f"EVENT {value['change']['kind']}"
    return kind


def is_request(example):
    value, prose = example.value, example.prose
    if value.get("type") not in REQUESTS or ("from" in value and "ts" in value):
        return False
    if value["type"] == "ACK" and value["ackType"] not in ("read", "delivered"):
        return False
    if "In both directions" in prose or ("Client to server" in prose and "Server to client" in prose):
        # Only what is sent has an id of its own choosing.
        return "id" in value
    return "Server to client" not in prose


def is_answered(example):
    return "Not answered, unless" not in example.prose


def answers_of(example):
    """What the section says that a request is answered by, but for refusals."""
    told = re.search(r"Answered by (.*?)\.( |$)", example.prose)
    found = re.findall(r"`([A-Z_]+(?: [a-z]+)?)`", told[1]) if told else []
    return {kind for kind in found if kind not in ("ERROR", "AUTH_FAIL")} or {"ACK"}


def paths(value, path=""):
    """The names in a value, with the type of what they hold."""
    if isinstance(value, dict):
        return {name for key in value if key != "id" for name in paths(value[key], f"{path}.{key}")}
    if isinstance(value, list):
        # Frames inside a page are examples of their own.
        inner = [] if path.endswith(".events") else value
        return {f"{path} list"} | {name for item in inner for name in paths(item, f"{path}[]")}
    if path.startswith((".custom.data", ".frame.custom.data")):
        return {".custom.data"}
    # JSON knows one kind of numbers, and so does the protocol.
    kind = "number" if type(value) in (int, float) else type(value).__name__
    return {f"{path} {kind}"}


def kind_of_answer(example):
    """Under which kind something like an example was seen."""
    if "type" in example.value:
        return kind_of(example.value)
    if example.section == "## Close codes":
        return "close"
    if "accessToken" in example.value.get("data", {}):
        return "logged in"
    return example.section


def is_seen_elsewhere(example):
    kind = kind_of_answer(example)
    return kind in UNSEEN or f"{kind} {example.value.get('reason', '')}".strip() in UNSEEN


def check_seen(example, seen):
    kind = kind_of_answer(example)
    known = seen.paths.get(kind)
    if known is None:
        raise Wrong(f"{example}\n  the server never said anything of that kind ({kind})")
    if missing := paths(example.value) - known:
        raise Wrong(f"{example}\n  was never seen with: {', '.join(sorted(missing))}")
