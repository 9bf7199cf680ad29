"""Echo over WebSocket with Locust: each user sends a message of 128 bytes every 100 ms and
waits for it to come back, as `wsbench messaging --adapter echo --msg-interval 100ms` does."""

import os
import time

import gevent
import websocket
from locust import User, events, task

TARGET = os.environ["TARGET"]
INTERVAL_SECONDS = float(os.environ.get("INTERVAL_SECONDS", "0.1"))
BODY = "x" * 128


class Echo(User):
    def on_start(self):
        self.socket = websocket.create_connection(TARGET)

    @task
    def send(self):
        if INTERVAL_SECONDS <= 0:  # Idle: only the connection counts.
            gevent.sleep(3600)
            return
        began = time.perf_counter()
        self.socket.send(BODY)
        back = self.socket.recv()
        took_ms = (time.perf_counter() - began) * 1000
        events.request.fire(
            request_type="ws", name="echo", response_time=took_ms, response_length=len(back),
            exception=None if back == BODY else ValueError("changed on the way"), context={},
        )
        gevent.sleep(max(0, INTERVAL_SECONDS - took_ms / 1000))
