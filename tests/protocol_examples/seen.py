"""What the server has said, by kind."""

from document import kind_of, paths


class Seen:
    def __init__(self):
        self.paths = {}

    def add(self, kind, value):
        self.paths.setdefault(kind, set()).update(paths(value))

    def frame(self, frame):
        self.add(kind_of(frame), frame)
        if frame["type"] == "EVENTS":
            for event in frame["events"]:
                self.frame(event)
