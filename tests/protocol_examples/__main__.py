"""Runs the examples of docs/protocol.md against a real server.

    python3 tests/protocol_examples docs/protocol.md target/release/petrel

Every example of a request is sent, with the ids of the document replaced by those of a small
world, and must be answered as its section says. Every example of what the server says must
have been seen: something of the same kind with all its fields, of the same types. A section
about a frame, a kind of change or a route (its title is in code) must have an example.

A new example needs no more than what has to happen for it. That goes into a module in
`stories`, one for each part of the document; all that lie there are loaded.

- `@before("CALL_ANSWER")` stands above what must be done before a request of that type is
  sent: it puts what is true here into the frame and returns who sends it, Ada if nobody. A
  request that needs nothing has none.
- `@story` stands above what makes the server say what no request of an example brings about.
  Stories run when the requests have, in any order, so each makes its own users and groups.
- In a story, `world.play("POST", path, section, "uses")` sends the section's example of a
  body, the one with that member, and `world.look(path, section)` asks for what a section
  shows an answer of. Both see what is answered.
"""

import asyncio
import importlib
import pkgutil
import sys
import tempfile
import traceback

import stories
from document import check_seen, is_request, is_seen_elsewhere, read
from server import Wrong
from world import STORIES, World

# All of it takes some seconds.
GIVE_UP_AFTER_SECONDS = 180


async def run(examples, binary, data):
    """Sends every request, plays every story; returns what went wrong and what was seen."""
    faults = []
    world = World(binary, data)
    try:
        await world.begin(examples)
        for example in filter(is_request, examples):
            try:
                await world.run(example)
            except (Wrong, asyncio.TimeoutError) as error:
                faults.append(str(error) or f"{example}\n  was not answered")
        for story in STORIES:
            try:
                await story(world)
            except Wrong as error:
                faults.append(f"{story.__module__}.{story.__name__}: {error}")
            except Exception:
                faults.append(f"{story.__module__}.{story.__name__}: {traceback.format_exc()}")
        await world.end()
    finally:
        world.stop()
    return faults, world.seen


def main():
    document, binary = sys.argv[1:3]
    for module in pkgutil.iter_modules(stories.__path__):
        importlib.import_module(f"stories.{module.name}")
    examples, without = read(document)
    with tempfile.TemporaryDirectory() as data:
        played = asyncio.wait_for(run(examples, binary, data), GIVE_UP_AFTER_SECONDS)
        faults, seen = asyncio.run(played)
    faults += [f"{title} has no example" for title in without]
    rest = [it for it in examples if not it.has_run and not is_request(it)]
    elsewhere = [it for it in rest if is_seen_elsewhere(it)]
    for example in rest:
        try:
            if example not in elsewhere:
                check_seen(example, seen)
        except Wrong as error:
            faults.append(str(error))
    for fault in faults:
        print(f"- {fault}")
    if faults:
        sys.exit(f"{len(faults)} faults in the examples of {document}")
    run_count, seen_count = len(examples) - len(rest), len(rest) - len(elsewhere)
    print(f"{document}: {run_count} requests were run, {seen_count} answers seen as printed,")
    print(f"{len(elsewhere)} of answers that take a fault are tried by other tests")


main()
