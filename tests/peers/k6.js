// Echo over WebSocket with k6: each user sends a message of 128 bytes every 100 ms and
// takes it back, as `wsbench messaging --adapter echo --msg-interval 100ms` does.

import { WebSocket } from "k6/experimental/websockets";
import { Counter, Trend } from "k6/metrics";

const USERS = Number(__ENV.USERS);
const INTERVAL_MS = Number(__ENV.INTERVAL_MS);
const BODY = "x".repeat(128);

const took = new Trend("echo_ms");
const spoiled = new Counter("echo_spoiled");

export const options = {
  scenarios: {
    users: {
      executor: "ramping-vus",
      startVUs: 0,
      stages: [
        { duration: "5s", target: USERS },
        { duration: "60s", target: USERS },
      ],
      gracefulStop: "1s",
    },
  },
};

export default function () {
  const socket = new WebSocket(__ENV.TARGET);
  let sent = 0;
  socket.onopen = () => {
    if (INTERVAL_MS <= 0) return; // Idle: only the connection counts.
    setInterval(() => {
      sent = Date.now();
      socket.send(BODY);
    }, INTERVAL_MS);
  };
  socket.onmessage = (message) => {
    took.add(Date.now() - sent);
    if (message.data !== BODY) spoiled.add(1);
  };
}
