"""Tokens, log-ins, passwords; and what the server says of itself."""

import base64
import json
import tempfile

from server import Device, Server
from world import ADA, NAMES, PASSWORD, before, story


@before("AUTH")
async def authenticate(world, frame):
    frame["token"] = world.tokens[ADA]


@before("REAUTH")
async def authenticate_again(world, frame):
    body = {"refreshToken": world.refresh_tokens[ADA]}
    data = world.ask("POST", "/api/auth/refresh", body)["data"]
    world.tokens[ADA], world.refresh_tokens[ADA] = data["accessToken"], data["refreshToken"]
    frame["token"] = data["accessToken"]


@story
async def refusals(world):
    await Device().open(world.server, world.seen, {"token": "no"})
    wrong = {"username": NAMES[ADA], "password": "not the password"}
    world.seen.add("## HTTP", world.server.ask("POST", "/api/auth/login", wrong))


@story
async def logins(world):
    data = world.play("POST", "/api/auth/login", "### `POST /api/auth/login`", "username")
    for what in ("refresh", "logout"):
        section = f"### `POST /api/auth/{what}`"
        refresh = {"refreshToken": data["refreshToken"]}
        data = world.play("POST", f"/api/auth/{what}", section, "refreshToken", **refresh)
    world.play("POST", "/api/invites", "### `POST /api/invites`", "uses")
    claims = world.tokens[ADA].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    world.seen.add("## Access tokens", claims)


@story
async def devices(world):
    user = await world.newcomer()
    world.new_login(user, deviceId="d-7f3a", platform="desktop")
    world.look("/api/devices", "### Devices", user=user)
    revoked = world.ask("POST", "/api/devices/revoke-others", {}, user)
    world.see("### Devices", revoked)
    world.look("/api/users/me", "### `GET /api/users/me`", user=user)


@story
async def passwords(world):
    user = await world.newcomer()
    section, another = "### Another password", {"username": world.names[user]}
    world.play("PUT", "/api/users/me/password", section, "newPassword", user, password=PASSWORD)
    reset = world.ask("POST", f"/api/admin/users/{user}/reset-password", {})
    another["code"] = reset["data"]["code"]
    world.play("POST", "/api/auth/reset", section, "username", **another)


@story
async def the_server_itself(world):
    world.look("/healthz", "### `GET /healthz`")
    world.look("/stats", "### `GET /stats`", on=world.server.ws)


@story
async def a_token_expires(world):
    with tempfile.TemporaryDirectory() as data:
        server = Server(world.binary, data, identity__access_token_lasts="3s")
        try:
            body = {"username": "ada", "password": PASSWORD}
            token = server.ask("POST", "/api/auth/register", body)["data"]["accessToken"]
            await Device().open(server, world.seen, {"token": token})
            await world.kinds_are_seen("AUTH_EXPIRING")
        finally:
            server.stop()
