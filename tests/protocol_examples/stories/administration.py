"""What admins of the system do; Ada is one."""

import time

from stories.sending import upload
from world import BO, story

SECTION = "### Administration"


@story
async def somebody_is_locked_out(world):
    user = await world.newcomer()
    picture = upload(world, user)["data"]["fileId"]
    change = {"clientMsgId": world.name(), "displayName": "Ben", "avatar": picture}
    world.ask("PATCH", "/api/users/me", change, user)
    world.ask("POST", f"/api/admin/users/{user}/disable", {"reason": "spam"})
    world.look("/api/admin/users?disabled=true", SECTION)


@story
async def a_name_is_cleared(world):
    change = {"clientMsgId": world.name(), "displayName": "Unfit"}
    world.ask("PATCH", "/api/users/me", change, BO)
    world.play("POST", f"/api/admin/users/{BO}/clear", SECTION, "part")


@story
async def words(world):
    world.play("PUT", "/api/admin/words", SECTION, "words")
    words = [it["word"] for it in world.ask("GET", "/api/admin/words")["data"]["words"]]
    world.ask("POST", "/api/admin/words/remove", {"words": words})


@story
async def notices(world):
    ahead = int(time.time() * 1000) + 60_000
    sent = world.play("POST", "/api/admin/notices", SECTION, "text", untilTs=ahead)
    await world.kinds_are_seen("NOTICE")
    world.ask("POST", f"/api/admin/notices/{sent['notice']['noticeId']}/withdraw")
    await world.kinds_are_seen("NOTICE_WITHDRAWN")


@story
async def limits(world):
    changed = world.play("PATCH", "/api/admin/limits", SECTION, "limits")
    names = [it["name"] for it in changed["limits"] if "changed" in it]
    world.ask("PATCH", "/api/admin/limits", {"registration": None, "limits": dict.fromkeys(names)})
