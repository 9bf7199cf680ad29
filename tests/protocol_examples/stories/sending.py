"""Messages, and what becomes of them."""

import base64

from world import ADA, BO, CY, before, story

# A picture of one point.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def upload(world, user=ADA):
    """A file of a user's, as uploading it is answered."""
    return world.ask("POST", "/api/files?name=harbour.png", PICTURE, user, kind="image/png")


@before("SINGLE_CHAT", "GROUP_CHAT")
async def send(world, frame):
    if "firstSentTs" in frame:
        pong = await world.devices[ADA].must({"type": "PING"})
        frame["firstSentTs"] = pong["ts"] - 40_000
    if "forward" in frame:
        frame["forward"]["msgSeq"] = (await world.say(BO, world.group))["msgSeq"]
    if "replyTo" in frame:
        frame["replyTo"] = (await world.say(BO, world.group))["msgSeq"]
    if "attachment" in frame:
        frame["attachment"]["fileId"] = upload(world)["data"]["fileId"]


@before("ACK")
async def acknowledge(world, frame):
    if "items" not in frame:
        await world.name_a_message(frame)
        return BO
    said = [await world.write(ADA, BO), await world.write(ADA, CY)]
    for item, message in zip(frame["items"], said, strict=True):
        item["msgSeq"] = message["msgSeq"]


@before("MESSAGE_HIDE")
async def hide(world, frame):
    frame["msgSeqs"] = [(await world.write(BO, ADA))["msgSeq"] for _ in frame["msgSeqs"]]


@before("SYNC")
async def sync(world, frame):
    frame["token"] = (await world.devices[ADA].must({"type": "SYNC"}))["token"]
    await world.write(BO, ADA)


@before("PULL")
async def pull(world, frame):
    if "afterSeq" in frame:
        frame["afterSeq"] = 0


@before("SEARCH")
async def search(world, frame):
    """Asks until the search is not behind."""

    async def is_up_to_date():
        world.named += 1
        found = await world.devices[ADA].must({**frame, "id": 5000 + world.named})
        return found["behind"] == 0

    await world.until("a search that is not behind", is_up_to_date)


@story
async def messages_that_change(world):
    said = await world.say(BO, world.group)
    await world.do(ADA, "MESSAGE_REVOKE", conversationId=world.group, msgSeq=said["msgSeq"])
    mine = await world.write(ADA, BO, "The storm is over.")
    place = {"conversationId": world.chat, "msgSeq": mine["msgSeq"]}
    for body in ("The storm is over!", "The storm is over!!"):
        await world.do(ADA, "MESSAGE_EDIT", body=body, **place)
    await world.devices[BO].tell({"type": "ACK", "ackType": "read", **place})
    await world.write(BO, ADA)
    located = {"latitude": 54.3233, "longitude": 10.1394, "name": "The pier"}
    said = await world.do(ADA, "SINGLE_CHAT", to=BO, msgType="LOCATION", location=located)
    forward = {"conversationId": world.chat, "msgSeq": said["msgSeq"]}
    await world.do(ADA, "SINGLE_CHAT", to=BO, forward=forward)
    first = await world.say(BO, world.group)
    file = {"fileId": upload(world)["data"]["fileId"]}
    picture = {"groupId": world.group, "msgType": "IMAGE", "attachment": file}
    await world.do(ADA, "GROUP_CHAT", replyTo=first["msgSeq"], **picture)
    await world.pull_all(world.chat, ADA, BO)
    await world.pull_all(world.group, ADA, BO)
    await world.devices[ADA].must({"type": "SYNC", "limit": 200})


@story
async def files(world):
    uploaded = world.see("### Files", upload(world))
    world.look(f"/api/files/{uploaded['fileId']}/link", "### Files")
