"""What admins of the system do; Ada is one."""

from world import story

SECTION = "### Administration"


@story
async def somebody_is_locked_out(world):
    user = await world.newcomer()
    world.ask("POST", f"/api/admin/users/{user}/disable", {"reason": "spam"})
    world.look("/api/admin/users?disabled=true", SECTION)


@story
async def words(world):
    world.play("PUT", "/api/admin/words", SECTION, "words")
    words = [it["word"] for it in world.ask("GET", "/api/admin/words")["data"]["words"]]
    world.ask("POST", "/api/admin/words/remove", {"words": words})
