"""Contacts, who is there, who is typing, and what users say of themselves."""

from stories.sending import upload
from world import ADA, BO, CY, before, story


@before("CONTACT")
async def contact(world, frame):
    if frame["action"] == "remark":
        await world.do(BO, "CONTACT", user=ADA, action="accept")


@before("CONTACTS")
async def contacts(world, frame):
    await world.do(CY, "CONTACT", user=ADA, action="apply", message="We met at the harbour.")

    # It is told in Ada's timeline a moment later.
    async def is_told():
        listed = await world.devices[ADA].must({"type": "CONTACTS", "list": "incoming"})
        return listed["contacts"]

    await world.until("an application", is_told)


@story
async def somebody_comes_and_goes(world):
    other = await world.newcomer()
    await world.new_group(other)
    watch = {"type": "PRESENCE_SUBSCRIBE", "users": [other]}
    await world.devices[ADA].must(watch)
    await world.devices[other].close()
    await world.kinds_are_seen("PRESENCE")

    async def was_there():
        state = await world.devices[ADA].must({"type": "PRESENCE_QUERY", "users": [other]})
        return "lastSeenTs" in state["items"][0]

    await world.until("when somebody was there last", was_there)
    world.look(f"/api/presence?users={BO}", "### `GET /api/presence`")


@story
async def settings(world):
    user = await world.newcomer()
    section, change = "### Users and settings", {"clientMsgId": world.name()}
    world.ask("POST", "/api/users/me/friend-code", change, user)
    world.play("PATCH", "/api/users/me/settings", section, "clientMsgId", user)
    await world.kinds_are_seen("EVENT settingsChanged")
    world.look("/api/users/me/settings", section, user=user)
    world.look("/api/users/search?username=ada", section, user=user)


@story
async def names(world):
    user = await world.newcomer()
    picture = upload(world, user)["data"]["fileId"]
    change = ("PATCH", "/api/users/me", "#### Names and avatars", "displayName", user)
    world.play(*change, avatar=picture)
    world.look(f"/api/users?ids={user}", "### Users and settings", user=user)
