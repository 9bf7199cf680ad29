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


async def who_is_asked(world):
    """A user who is online and wants to be asked before being taken into a group."""
    user = await world.newcomer()
    change = {"clientMsgId": world.name(), "groupAdds": "ask"}
    world.ask("PATCH", "/api/users/me/settings", change, user)
    return user


@before("GROUP_INVITATION")
async def invited(world, frame):
    user = await who_is_asked(world)
    frame["groupId"] = await world.new_group(user)
    return user


@before("GROUP_INVITATIONS")
async def invitations(world, frame):
    user = await who_is_asked(world)
    await world.new_group(user)

    # It is told in the user's timeline a moment later.
    async def is_told():
        listed = await world.devices[user].must({"type": "GROUP_INVITATIONS"})
        return listed["invitations"]

    await world.until("an invitation", is_told)
    return user


@before("GROUP_INVITED", "GROUP_WITHDRAW")
async def somebody_is_invited(world, frame):
    user = await who_is_asked(world)
    frame["groupId"] = await world.new_group(user)
    if "user" in frame:
        frame["user"] = user


@story
async def an_invitation_is_taken_back(world):
    user = await who_is_asked(world)
    group = await world.new_group(user)
    await world.do(ADA, "GROUP_WITHDRAW", groupId=group, user=user)
    await world.kinds_are_seen("EVENT invitationWithdrawn")


@story
async def somebody_is_asked_and_refuses(world):
    user, group = await who_is_asked(world), await world.new_group()
    await world.do(ADA, "GROUP_ADD", groupId=group, members=[user])
    await world.do(user, "GROUP_INVITATION", groupId=group, accept=False)
    kinds = ("membersInvited", "invitationRefused", "groupInvited", "groupInvitationEnded")
    await world.kinds_are_seen(*(f"EVENT {kind}" for kind in kinds))
