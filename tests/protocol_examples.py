"""Runs the examples of docs/protocol.md against a real server.

Every example of a request is sent, with the ids of the document replaced by those of a small
world, and must be answered as its section says. Every example of what the server says must
have been seen: something of the same kind with all its fields, of the same types. A section
about a frame, a kind of change or a route (its title is in code) must have an example.

A new request is tried as it stands; what has to happen before it is said in `Story`.
"""

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import websockets

PATIENCE_SECONDS = 20

# What can't be caused here in seconds, and where it is tried instead.
UNSEEN = {
    "GAP": "a reader that is slow for minutes: crates/petrel/tests/it/delivery.rs",
    "ERROR server_busy": "an overload: crates/petrel/tests/it/limits.rs",
    "ERROR timeout": "a store that hangs: crates/petrel/tests/it/faults.rs",
}

# Users get these ids in the order in which they register, in the document as here.
ADA, BO, CY, DEE, EVE = (str(10_000_000_000 + number) for number in range(1, 6))
NAMES = {ADA: "ada", BO: "bo.", CY: "cy.", DEE: "dee", EVE: "eve"}


class Wrong(Exception):
    """An example is not what the server does."""


class Example:
    def __init__(self, section, text, prose):
        self.section, self.prose = section, prose
        self.value = json.loads(text)
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


def kind_of(value):
    """What something is told apart by; None for what is no frame."""
    kind = value.get("type")
    if kind == "ACK":
        return f"ACK {value['ackType']}"
    if kind == "EVENT":
        return f"EVENT {value['change']['kind']}"
    return kind


def is_request(example):
    value = example.value
    kind = value.get("type")
    if kind is None:
        return False
    if kind == "ACK":
        return "from" not in value and value["ackType"] in ("read", "delivered")
    return kind in REQUESTS and not ("from" in value and "ts" in value)


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


class Server:
    def __init__(self, binary, data, **settings):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PETREL_")}
        environment |= {f"PETREL_{name.upper()}": str(value) for name, value in settings.items()}
        command = [binary, "serve", "--data-dir", data, "--http", "127.0.0.1:0"]
        command += ["--gateway", "127.0.0.1:0", "--admin", "off", "--log", "warn"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        )
        for line in self.process.stdout:
            if found := re.search(r"(http|ws)://([0-9.]+:[0-9]+)", line):
                setattr(self, found[1], found[2])
            if "Stop" in line:
                return
        sys.exit("the server did not start")

    def ask(self, method, path, body=None, token=None, on=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{on or self.http}{path}", data, method=method)
        request.add_header("content-type", "application/json")
        if token:
            request.add_header("authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


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


class Seen:
    """What the server has said, by kind."""

    def __init__(self):
        self.paths = {}
        self.errors = {}

    def add(self, kind, value):
        self.paths.setdefault(kind, set()).update(paths(value))

    def frame(self, frame):
        self.add(kind_of(frame), frame)
        if frame["type"] == "EVENTS":
            for event in frame["events"]:
                self.frame(event)


class Story:
    """The world in which the examples make sense."""

    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        self.seen = Seen()
        self.tokens, self.refresh = {}, {}
        self.devices = {}
        self.named = 0

    def name(self):
        self.named += 1
        return f"prepared-{self.named}"

    async def begin(self, examples):
        """Registers everybody, the first one as the document does."""
        self.server = Server(self.binary, self.data, limits__head_members=4)
        for user, name in NAMES.items():
            body = {"username": name, "password": "a storm petrel in a gale"}
            if user == ADA:
                section = "### `POST /api/auth/register`"
                example = next(it for it in examples if it.section == section)
                body, example.has_run = example.value, True
            answer = self.server.ask("POST", "/api/auth/register", body)
            if answer.get("data", {}).get("userId") != user:
                raise Wrong(f"{body} was answered by {answer}")
            self.seen.add("logged in", answer)
        self.server.stop()
        grant = [self.binary, "admin", "grant-admin", "--data-dir", self.data, "ada"]
        subprocess.run(grant, check=True, stdout=subprocess.DEVNULL)
        self.server = Server(self.binary, self.data, limits__head_members=4)
        for user in NAMES:
            await self.log_in(user)
        self.group = await self.new_group()
        said = await self.say(BO, self.group)
        self.chat = (await self.write(ADA, BO))["conversationId"]
        self.other_chat = (await self.write(ADA, CY))["conversationId"]
        return said

    async def log_in(self, user, **auth):
        answer = self.server.ask(
            "POST",
            "/api/auth/login",
            {"username": NAMES[user], "password": "a storm petrel in a gale"},
        )
        self.tokens[user] = answer["data"]["accessToken"]
        self.refresh[user] = answer["data"]["refreshToken"]
        device = self.devices[user] = Device()
        opened = await device.open(self.server, self.seen, {"token": self.tokens[user], **auth})
        if opened["type"] != "AUTH_OK":
            raise Wrong(f"{user} can't log in: {opened}")
        return device

    async def do(self, actor, kind, **fields):
        frame = {"type": kind, "clientMsgId": self.name(), **fields}
        return await self.devices[actor].must(frame)

    async def new_group(self, *more, **settings):
        founded = await self.do(
            ADA, "GROUP_CREATE", title="Harbour", members=[BO, CY, *more], history="all"
        )
        group = founded["conversationId"]
        if settings:
            await self.do(ADA, "GROUP_SETTINGS", groupId=group, **settings)
        return group

    async def code_of(self, group):
        state = await self.devices[ADA].must({"type": "CONVERSATION", "conversationId": group})
        return state["group"]["code"]

    async def say(self, user, group, body="A gull at the harbour."):
        return await self.do(user, "GROUP_CHAT", groupId=group, body=body)

    async def write(self, user, to, body="A gull at the harbour."):
        return await self.do(user, "SINGLE_CHAT", to=to, body=body)

    async def wait_for(self, example):
        """Asks again until the search is not behind."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            found = await self.devices[ADA].must({**example, "id": self.named + 5000})
            self.named += 1
            if found["behind"] == 0:
                return
            await asyncio.sleep(0.02)

    async def fit(self, example):
        """Who sends an example, and the example with what is true here."""
        frame = json.loads(json.dumps(example.value))
        kind = frame["type"]
        user = ADA
        if "clientMsgId" in frame and kind != "SINGLE_CHAT":
            frame["clientMsgId"] = self.name()
        own = {"81920005": self.group, "73728123": self.chat, "73729999": self.other_chat}
        frame = json.loads(
            re.sub(r'"(\d+)"', lambda it: f'"{own.get(it[1], it[1])}"', json.dumps(frame))
        )
        fit = getattr(self, f"fit_{kind.lower()}", None)
        if fit:
            user = await fit(frame) or ADA
        elif "groupId" in frame and kind.startswith("GROUP_") and kind != "GROUP_CHAT":
            frame["groupId"] = await self.new_group()
        elif "msgSeq" in frame:
            await self.fit_target(frame)
        return user, frame

    async def fit_target(self, frame, user=ADA):
        """Names a message that was just sent."""
        if frame.get("conversationId") == self.group:
            said = await self.say(user, self.group)
        else:
            said = await self.write(user, BO)
            if "conversationId" in frame:
                frame["conversationId"] = said["conversationId"]
        for name in ("msgSeq", "serverMsgId"):
            if name in frame:
                frame[name] = said[name]

    fit_message_revoke = fit_message_edit = fit_ack = fit_target

    async def fit_ack(self, frame):
        if "items" in frame:
            said = [await self.write(ADA, BO), await self.write(ADA, CY)]
            for item, message in zip(frame["items"], said, strict=True):
                item["msgSeq"] = message["msgSeq"]
        else:
            await self.fit_target(frame, ADA)
            return BO

    async def fit_auth(self, frame):
        frame["token"] = self.tokens[ADA]

    async def fit_reauth(self, frame):
        answer = self.server.ask(
            "POST", "/api/auth/refresh", {"refreshToken": self.refresh[ADA]}
        )
        self.tokens[ADA] = frame["token"] = answer["data"]["accessToken"]
        self.refresh[ADA] = answer["data"]["refreshToken"]

    async def fit_single_chat(self, frame):
        if "firstSentTs" in frame:
            pong = await self.devices[ADA].must({"type": "PING"})
            frame["firstSentTs"] = pong["ts"] - 40_000
        if "forward" in frame:
            said = await self.say(BO, self.group)
            frame["forward"]["msgSeq"] = said["msgSeq"]
        await self.fit_content(frame)

    async def fit_group_chat(self, frame):
        if "replyTo" in frame:
            frame["replyTo"] = (await self.say(BO, self.group))["msgSeq"]
        await self.fit_content(frame)

    async def fit_content(self, frame):
        """A file that is to be sent has to be there."""
        if "attachment" not in frame:
            return
        frame["attachment"]["fileId"] = self.upload() or frame["attachment"]["fileId"]

    def upload(self):
        """The id of a picture; None where the server takes no files."""
        document = self.server.ask("GET", "/openapi.json")
        if "/api/files" not in document["paths"]:
            return None
        request = urllib.request.Request(
            f"http://{self.server.http}/api/files?name=harbour.png", PICTURE, method="POST"
        )
        request.add_header("content-type", "image/png")
        request.add_header("authorization", f"Bearer {self.tokens[ADA]}")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["data"]["fileId"]

    async def fit_group_create(self, frame):
        pass

    async def fit_group_leave(self, frame):
        frame["groupId"] = await self.new_group()
        return BO

    async def fit_group_join(self, frame):
        group = await self.new_group(joining="approval")
        frame["code"] = await self.code_of(group)
        return EVE

    async def fit_waiting(self, frame):
        frame["groupId"] = group = await self.new_group(joining="approval")
        code = await self.code_of(group)
        await self.do(EVE, "GROUP_JOIN", code=code, message="Ada, from the harbour")

    fit_group_requests = fit_group_answer = fit_waiting

    async def fit_contact(self, frame):
        if frame["action"] == "remark":
            await self.do(BO, "CONTACT", user=ADA, action="accept")

    async def fit_contacts(self, frame):
        await self.do(CY, "CONTACT", user=ADA, action="apply", message="We met at the harbour.")
        # It is told in Ada's timeline a moment later.
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            if (await self.devices[ADA].must({"type": "CONTACTS", "list": "incoming"}))["contacts"]:
                return
            await asyncio.sleep(0.02)

    async def fit_sync(self, frame):
        state = await self.devices[ADA].must({"type": "SYNC"})
        frame["token"] = state["token"]
        await self.write(BO, ADA)

    async def fit_pull(self, frame):
        if "afterSeq" in frame:
            frame["afterSeq"] = 0

    async def fit_search(self, frame):
        await self.wait_for(frame)

    async def run(self, example):
        """Sends an example, and looks at its answer."""
        user, frame = await self.fit(example)
        kind = frame["type"]
        if kind == "AUTH":
            device = Device()
            answer = await device.open(self.server, self.seen, frame)
        elif kind == "ACK":
            # Not answered, unless it is wrong.
            frame["id"] = "acknowledged"
            device = self.devices[user]
            wrong = asyncio.ensure_future(device.ask(frame))
            for _ in range(2):
                await device.must({"type": "PING"})
            if wrong.done():
                raise Wrong(f"{example}\n  was answered by {wrong.result()}")
            wrong.cancel()
            device.waiting.pop("acknowledged", None)
            example.has_run = True
            return
        else:
            answer = await self.devices[user].ask(frame)
        expected = answers_of(example)
        if "attachment" in frame and answer.get("reason") == "file_not_found" and not self.upload():
            expected = expected | {"ERROR"}
        if answer["type"] not in expected:
            told = " or ".join(sorted(expected))
            raise Wrong(f"{example}\n  as {frame}\n  is to be answered by {told}, and was by {answer}")
        example.has_run = True

    async def see_the_rest(self):
        """Brings about what no example asks for."""
        # Refusals of all sorts, and a message that is pulled after it was changed.
        failed = Device()
        await failed.open(self.server, self.seen, {"token": "no"})
        said = await self.say(BO, self.group)
        place = {"conversationId": self.group, "msgSeq": said["msgSeq"]}
        await self.do(ADA, "MESSAGE_REVOKE", **place)
        mine = await self.write(ADA, BO, "The storm is over.")
        place = {"conversationId": self.chat, "msgSeq": mine["msgSeq"]}
        for body in ("The storm is over!", "The storm is over!!"):
            await self.do(ADA, "MESSAGE_EDIT", body=body, **place)
        read = {"type": "ACK", "ackType": "read", "conversationId": self.chat}
        await self.devices[BO].socket.send(json.dumps(read | {"msgSeq": mine["msgSeq"]}))
        await self.write(BO, ADA)
        located = {"latitude": 54.3233, "longitude": 10.1394, "name": "The pier"}
        place = await self.do(ADA, "SINGLE_CHAT", to=BO, msgType="LOCATION", location=located)
        forward = {"conversationId": self.chat, "msgSeq": place["msgSeq"]}
        await self.do(ADA, "SINGLE_CHAT", to=BO, forward=forward)
        if file := self.upload():
            await self.do(
                ADA, "GROUP_CHAT", groupId=self.group, msgType="IMAGE", attachment={"fileId": file}
            )
        refused = {}
        await self.fit_waiting(refused)
        await self.do(ADA, "GROUP_ANSWER", groupId=refused["groupId"], user=EVE, accept=False)
        # A session that does not look at a large group, and one that takes its place.
        large = await self.new_group(DEE)
        watcher = await self.log_in(DEE, caps=["head"], deviceId="d-1")
        await self.say(ADA, large)
        await self.kinds_are_seen("HEAD")
        await self.log_in(DEE, deviceId="d-1")
        await asyncio.wait_for(watcher.closed.wait(), PATIENCE_SECONDS)
        ada = {"token": self.tokens[ADA]}
        self.server.ask("PATCH", "/api/users/me/settings", {"findable": False}, **ada)
        self.server.ask("POST", "/api/users/me/friend-code", {}, **ada)
        await self.kinds_are_seen("EVENT settingsChanged", "EVENT conversationRefused")
        for conversation in (self.chat, self.group):
            for user in (ADA, BO):
                pull = {"type": "PULL", "conversationId": conversation, "limit": 200}
                await self.devices[user].must(pull)
        await self.devices[ADA].must({"type": "SYNC", "limit": 200})
        self.server.ask("PATCH", "/api/users/me/settings", {"findable": True}, **ada)

    async def kinds_are_seen(self, *kinds):
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not all(kind in self.seen.paths for kind in kinds):
            if time.monotonic() > give_up:
                raise Wrong(f"never came: {[it for it in kinds if it not in self.seen.paths]}")
            await asyncio.sleep(0.02)

    def ask_over_http(self, examples):
        """Runs the bodies of requests, and sees the answers."""
        server, token = self.server, self.tokens[ADA]

        def run(section, path, kind, **more):
            for example in examples:
                if example.section == f"### `{section}`" and "code" not in example.value:
                    answer = server.ask("POST", path, example.value | more, token)
                    if answer["code"] != 0:
                        raise Wrong(f"{example}\n  was answered by {answer}")
                    self.seen.add(kind, answer)
                    example.has_run = True
                    return answer

        logged_in = run("POST /api/auth/login", "/api/auth/login", "logged in")["data"]
        run("POST /api/invites", "/api/invites", "### `POST /api/invites`")
        refresh = {"refreshToken": logged_in["refreshToken"]}
        next_one = run("POST /api/auth/refresh", "/api/auth/refresh", "logged in", **refresh)
        refresh = {"refreshToken": next_one["data"]["refreshToken"]}
        run("POST /api/auth/logout", "/api/auth/logout", "done", **refresh)
        claims = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        self.seen.add("## Access tokens", claims)
        wrong = {"username": "ada", "password": "not the password"}
        self.seen.add("## HTTP", server.ask("POST", "/api/auth/login", wrong))
        device = {"deviceId": "d-7f3a", "platform": "desktop"}
        password = {"username": "ada", "password": "a storm petrel in a gale"}
        login = server.ask("POST", "/api/auth/login", password | device)["data"]["accessToken"]
        for method, path, section in [
            ("GET", "/api/devices", "### Devices"),
            ("POST", "/api/devices/revoke-others", "### Devices"),
            ("GET", "/api/users/me", "### `GET /api/users/me`"),
            ("GET", "/api/users/search?username=ada", "### Users and settings"),
            ("GET", "/api/users/me/settings", "### Users and settings"),
            ("GET", "/healthz", "### `GET /healthz`"),
        ]:
            body = {} if method == "POST" else None
            answer = server.ask(method, path, body, login)
            if answer.get("code", 0) != 0:
                raise Wrong(f"{section}: {method} {path} was answered by {answer}")
            self.seen.add(section, answer)
        stats = server.ask("GET", "/stats", on=server.ws)
        self.seen.add("### `GET /stats`", stats)

    async def see_a_token_expire(self):
        """By a server whose tokens last for seconds."""
        with tempfile.TemporaryDirectory() as data:
            server = Server(self.binary, data, identity__access_token_lasts="3s")
            body = {"username": "ada", "password": "a storm petrel in a gale"}
            token = server.ask("POST", "/api/auth/register", body)["data"]["accessToken"]
            await Device().open(server, self.seen, {"token": token})
            await self.kinds_are_seen("AUTH_EXPIRING")
            server.stop()


def answers_of(example):
    """What the section says that a request is answered by, but for refusals."""
    text = " ".join(example.prose)
    told = re.search(r"Answered by (.*?)\.( |$)", text)
    found = re.findall(r"`([A-Z_]+)[^`]*`", told[1]) if told else ["ACK"]
    return {kind for kind in found if kind not in ("ERROR", "AUTH_FAIL")} or {"ACK"}


def kind_of_answer(example):
    """Under which kind something like an example was seen."""
    if "type" in example.value:
        return kind_of(example.value)
    if example.section == "## Close codes":
        return "close"
    if "accessToken" in example.value.get("data", {}):
        return "logged in"
    return example.section


def check_seen(example, seen):
    kind = kind_of_answer(example)
    name = f"{kind} {example.value.get('reason', '')}".strip()
    if kind in UNSEEN or name in UNSEEN:
        return
    known = seen.paths.get(kind)
    if known is None:
        raise Wrong(f"{example}\n  the server never said anything of that kind ({kind})")
    # Where the server takes no files yet nothing of them can be seen.
    missing = {it for it in paths(example.value) - known if ".attachment" not in it}
    if missing:
        raise Wrong(f"{example}\n  was never seen with: {', '.join(sorted(missing))}")


async def main():
    document, binary = sys.argv[1:3]
    examples, without = read(document)
    faults = [f"{title} has no example" for title in without]
    with tempfile.TemporaryDirectory() as data:
        story = Story(binary, data)
        await story.begin(examples)
        for example in filter(is_request, examples):
            try:
                await story.run(example)
            except (Wrong, asyncio.TimeoutError) as error:
                faults.append(str(error) or f"{example}\n  was not answered")
        for part in (story.see_the_rest, story.see_a_token_expire):
            try:
                await part()
            except Wrong as error:
                faults.append(str(error))
        try:
            story.ask_over_http(examples)
        except Wrong as error:
            faults.append(str(error))
        open_devices = [device for device in story.devices.values() if not device.closed.is_set()]
        story.server.stop()
        for device in open_devices:
            await asyncio.wait_for(device.closed.wait(), PATIENCE_SECONDS)
    for example in examples:
        try:
            if not is_request(example) and not example.has_run:
                check_seen(example, story.seen)
        except Wrong as error:
            faults.append(str(error))
    for fault in faults:
        print(f"- {fault}")
    if faults:
        sys.exit(f"{len(faults)} faults in the examples of {document}")
    run = sum(example.has_run for example in examples)
    print(f"{document}: {run} requests were run, {len(examples) - run} answers seen as printed")


def requests_of(document):
    """The types that clients send, as the schema has them."""
    schema = os.path.join(os.path.dirname(document), "protocol.schema.json")
    with open(schema, encoding="utf-8") as file:
        frames = json.load(file)["$defs"]["ClientFrame"]["oneOf"]
    return {frame["properties"]["type"]["const"] for frame in frames}


# A picture of one point.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REQUESTS = requests_of(sys.argv[1])

asyncio.run(main())
