"""Calls between two users."""

from world import ADA, BO, before, story


async def ring(world, caller=ADA, callee=BO):
    """A call that rings; whatever call the two were in is over."""
    if call := getattr(world, "call", None):
        for user in (ADA, BO):
            await world.devices[user].ask({"type": "CALL_HANGUP", "callId": call})
    world.call = world.name()
    offer = {"type": "CALL_OFFER", "callId": world.call, "to": callee, "media": "video", "sdp": "v=0\r\n"}
    await world.devices[caller].must(offer)
    return world.call


async def cut_off(world):
    """A call in which they talked until the caller's device was gone; it is back."""
    call = await ring(world)
    await world.devices[BO].must({"type": "CALL_ANSWER", "callId": call, "sdp": "v=0\r\n"})
    await world.devices[ADA].close()
    await world.connect(ADA)

    async def is_over():
        answer = await world.devices[ADA].ask({"type": "CALL_REJECT", "callId": call})
        return answer.get("reason") == "call_not_found"

    await world.until("the end of a call whose device is gone", is_over)
    return call


@before("CALL_OFFER")
async def offer(world, frame):
    if "resumes" in frame:
        frame["resumes"] = await cut_off(world)
    world.call = frame["callId"]


@before("CALL_ANSWER", "CALL_REJECT")
async def answer(world, frame):
    frame["callId"] = await ring(world)
    return BO


@before("CALL_HANGUP")
async def hang_up(world, frame):
    frame["callId"] = await ring(world)


@story
async def a_call_from_beginning_to_end(world):
    call = await ring(world)
    candidate = {"type": "CALL_ICE", "callId": call, "candidate": "{}"}
    await world.devices[ADA].tell(candidate)
    await world.devices[BO].must({"type": "CALL_ANSWER", "callId": call, "sdp": "v=0\r\n"})
    await world.devices[BO].must({"type": "CALL_HANGUP", "callId": call})
    await world.kinds_are_seen("CALL_OFFER", "CALL_ICE", "CALL_ANSWER", "CALL_STATE")

    async def is_written_down():
        await world.pull_all(world.chat, BO)
        return ".call.durationMs number" in world.seen.paths["SINGLE_CHAT"]

    await world.until("the record of a call", is_written_down)
