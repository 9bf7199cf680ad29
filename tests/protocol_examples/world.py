"""The world in which the examples make sense: a server, five users and what they have said."""

import asyncio
import json
import re
import subprocess
import time

from document import answers_of, is_answered, kind_of
from seen import Seen
from server import PATIENCE_SECONDS, Device, Server, Wrong

# Users get these ids in the order in which they register, in the document as here.
ADA, BO, CY, DEE, EVE = (str(10_000_000_000 + number) for number in range(1, 6))
NAMES = {ADA: "ada", BO: "bo.", CY: "cy.", DEE: "dee", EVE: "eve"}
PASSWORD = "a storm petrel in a gale"

# The conversations of the document: a group, and Ada's chats with Bo and Cy.
GROUP, CHAT, OTHER_CHAT = "81920005", "73728123", "73729999"

SETTINGS = {
    "limits__head_members": 4,
    "presence__offline_after": "1s",
    "calls__stun_urls": "stun:stun.example.com",
    "calls__turn_urls": "turn:turn.example.com?transport=udp",
}

BEFORE, STORIES = {}, []


def before(*kinds):
    def note(function):
        for kind in kinds:
            assert kind not in BEFORE, f"{kind} is prepared twice"
            BEFORE[kind] = function
        return function

    return note


def story(function):
    STORIES.append(function)
    return function


class World:
    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        self.server = None
        self.settings = {**SETTINGS, "calls__turn_secret_file": f"{data}/turn-secret"}
        self.seen = Seen()
        self.examples = []
        self.names, self.tokens, self.refresh_tokens = dict(NAMES), {}, {}
        # The latest session of each user.
        self.devices = {}
        self.named = 0

    def name(self):
        """Another one, for a message, a change or a user."""
        self.named += 1
        return f"prepared-{self.named}"

    async def begin(self, examples):
        """Registers everybody, the first one as the document does, who is made an admin."""
        self.examples = examples
        with open(self.settings["calls__turn_secret_file"], "w", encoding="utf-8") as file:
            file.write("shared with no TURN server")
        self.server = Server(self.binary, self.data, **self.settings)
        self.play("POST", "/api/auth/register", "### `POST /api/auth/register`", "username")
        for user in list(NAMES)[1:]:
            assert self.register(NAMES[user]) == user
        self.stop()
        grant = [self.binary, "admin", "grant-admin", "--data-dir", self.data, "ada"]
        subprocess.run(grant, check=True, stdout=subprocess.DEVNULL)
        self.server = Server(self.binary, self.data, **self.settings)
        for user in NAMES:
            await self.log_in(user)
        self.group = await self.new_group()
        await self.say(BO, self.group)
        self.chat = (await self.write(ADA, BO))["conversationId"]
        self.other_chat = (await self.write(ADA, CY))["conversationId"]

    async def end(self):
        """Ends the server while all are there, and sees what they are told."""
        there = [device for device in self.devices.values() if not device.closed.is_set()]
        if code := self.server.stop():
            raise Wrong(f"the server ended with {code}")
        for device in there:
            await asyncio.wait_for(device.closed.wait(), PATIENCE_SECONDS)

    def stop(self):
        if self.server:
            self.server.stop()

    # Over HTTP.

    def ask(self, method, path, body=None, user=ADA, token=None, **more):
        """What is answered, which must be no refusal."""
        token = token or self.tokens.get(user)
        answer = self.server.ask(method, path, body, token, **more)
        if answer.get("code", 0) != 0:
            raise Wrong(f"{method} {path} with {body} was answered by {answer}")
        return answer

    def look(self, path, section, **more):
        """Asks for what a section shows; returns the data."""
        return self.see(section, self.ask("GET", path, **more))

    def play(self, method, path, section, member, user=ADA, token=None, **changed):
        """Sends the section's example of a body with this member, changed where it must be."""
        for example in self.examples:
            # An answer has a code, too, but that is a number.
            is_answer = isinstance(example.value.get("code"), int)
            if example.section == section and member in example.value and not is_answer:
                answer = self.ask(method, path, example.value | changed, user, token)
                example.has_run = True
                return self.see(section, answer)
        raise Wrong(f"{section} has no example of a body with {member}")

    def see(self, section, answer):
        data = answer.get("data", answer)
        is_login = "accessToken" in data
        self.seen.add("logged in" if is_login else section, answer)
        return data

    def register(self, name):
        """A user, who is not logged in."""
        data = self.ask("POST", "/api/auth/register", {"username": name, "password": PASSWORD})
        self.names[data["data"]["userId"]] = name
        return data["data"]["userId"]

    def new_login(self, user, **device):
        body = {"username": self.names[user], "password": PASSWORD, **device}
        data = self.see("logged in", self.ask("POST", "/api/auth/login", body))
        self.tokens[user], self.refresh_tokens[user] = data["accessToken"], data["refreshToken"]
        return data

    # Sessions.

    async def log_in(self, user, **auth):
        self.new_login(user)
        return await self.connect(user, **auth)

    async def connect(self, user, **auth):
        device = self.devices[user] = Device()
        opened = await device.open(self.server, self.seen, {"token": self.tokens[user], **auth})
        if opened["type"] != "AUTH_OK":
            raise Wrong(f"{user} can't log in: {opened}")
        return device

    async def newcomer(self):
        """A user whom no other example knows, and who is online."""
        user = self.register(self.name())
        await self.log_in(user)
        return user

    async def do(self, by, kind, **fields):
        """Carries out a change; returns the ack."""
        frame = {"type": kind, "clientMsgId": self.name(), **fields}
        return await self.devices[by].must(frame)

    async def new_group(self, *more, **settings):
        """Ada's, with Bo and Cy in it."""
        founded = await self.do(
            ADA, "GROUP_CREATE", title="Harbour", members=[BO, CY, *more], history="all"
        )
        group = founded["conversationId"]
        if settings:
            await self.do(ADA, "GROUP_SETTINGS", groupId=group, **settings)
        return group

    async def say(self, user, group, body="A gull at the harbour."):
        return await self.do(user, "GROUP_CHAT", groupId=group, body=body)

    async def write(self, user, to, body="A gull at the harbour."):
        return await self.do(user, "SINGLE_CHAT", to=to, body=body)

    async def pull_all(self, conversation, *users):
        for user in users:
            pull = {"type": "PULL", "conversationId": conversation, "limit": 200}
            await self.devices[user].must(pull)

    async def until(self, what, is_so):
        """Waits until something is so."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = is_so()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            if time.monotonic() > give_up:
                raise Wrong(f"never came: {what}")
            await asyncio.sleep(0.02)

    async def kinds_are_seen(self, *kinds):
        for kind in kinds:
            await self.until(kind, lambda kind=kind: kind in self.seen.paths)

    # Requests.

    async def run(self, example):
        """Sends an example, and looks at its answer."""
        user, frame = await self.fit(example)
        device = self.devices[user]
        if frame["type"] == "AUTH":
            answer = await Device().open(self.server, self.seen, frame)
        elif is_answered(example):
            answer = await device.ask(frame)
        elif refused := await device.tell(frame):
            raise Wrong(f"{example}\n  as {frame}\n  was answered by {refused}")
        else:
            example.has_run = True
            return
        expected = answers_of(example)
        if not expected & {answer["type"], kind_of(answer)}:
            told = " or ".join(sorted(expected))
            raise Wrong(f"{example}\n  as {frame}\n  is to be answered by {told}, and was by {answer}")
        example.has_run = True

    async def fit(self, example):
        """Who sends an example, and the example with what is true here."""
        own = {GROUP: self.group, CHAT: self.chat, OTHER_CHAT: self.other_chat}
        text = json.dumps(example.value)
        frame = json.loads(re.sub(r'"(\d+)"', lambda it: f'"{own.get(it[1], it[1])}"', text))
        kind, user = frame["type"], None
        if "clientMsgId" in frame and kind != "SINGLE_CHAT":
            frame["clientMsgId"] = self.name()
        if kind in BEFORE:
            user = await BEFORE[kind](self, frame)
        elif "groupId" in frame and kind.startswith("GROUP_"):
            frame["groupId"] = await self.new_group()
        elif "msgSeq" in frame or "serverMsgId" in frame:
            await self.name_a_message(frame)
        return user or ADA, frame

    async def name_a_message(self, frame, sender=ADA):
        """Makes a frame name a message that was just sent."""
        if frame.get("conversationId") == self.group:
            said = await self.say(sender, self.group)
        else:
            said = await self.write(sender, BO)
            if "conversationId" in frame:
                frame["conversationId"] = said["conversationId"]
        for name in ("msgSeq", "serverMsgId"):
            if name in frame:
                frame[name] = said[name]
