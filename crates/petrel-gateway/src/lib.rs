//! WebSocket sessions: handshake, heartbeat, outbox, fan-out.
