"""Groups, and very large ones."""

import asyncio

from server import PATIENCE_SECONDS
from world import ADA, BO, EVE, before, story


@before("GROUP_CREATE")
async def found(world, frame):
    pass


@before("GROUP_LEAVE")
async def leave(world, frame):
    frame["groupId"] = await world.new_group()
    return BO


async def code_of(world, group):
    state = await world.devices[ADA].must({"type": "CONVERSATION", "conversationId": group})
    return state["group"]["code"]


@before("GROUP_JOIN")
async def join(world, frame):
    frame["code"] = await code_of(world, await world.new_group(joining="approval"))
    return EVE


@before("GROUP_REQUESTS", "GROUP_ANSWER")
async def somebody_waits(world, frame):
    frame["groupId"] = await world.new_group(joining="approval")
    code = await code_of(world, frame["groupId"])
    await world.do(EVE, "GROUP_JOIN", code=code, message="Ada, from the harbour")


@story
async def somebody_is_not_let_in(world):
    frame = {}
    await somebody_waits(world, frame)
    await world.do(ADA, "GROUP_ANSWER", groupId=frame["groupId"], user=EVE, accept=False)
    await world.kinds_are_seen("EVENT conversationRefused")


@story
async def a_session_that_does_not_look_and_one_that_takes_its_place(world):
    member = await world.newcomer()
    large = await world.new_group(member)
    watcher = await world.connect(member, caps=["head"], deviceId="d-1")
    await world.say(ADA, large)
    await world.kinds_are_seen("HEAD")
    await world.connect(member, deviceId="d-1")
    await asyncio.wait_for(watcher.closed.wait(), PATIENCE_SECONDS)
