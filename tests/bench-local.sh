#!/bin/sh
# Starts a node on free ports and a fresh data directory, runs a small set of scenarios
# against it and prints their reports. Fails if one of them does.
set -eu
cd "$(dirname "$0")/.."
data=$(mktemp -d)
log=$data/serve.log
target/release/petrel serve --bench-issuer --data-dir "$data" --http 127.0.0.1:0 --gateway 127.0.0.1:0 --admin off >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$data"' EXIT
while ! grep -q Stop "$log"; do
    kill -0 "$server" || { cat "$log"; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/ *WebSocket *//p' "$log")
bench() {
    target/release/wsbench "$@" --target "$url" --data-dir "$data" --no-ceiling
}
bench connect-only --conns 1000 --ramp 5s --duration 15s --ping-interval 5s
bench ping --conns 500 --ramp 2s --duration 12s
bench single-e2e --conns 200 --ramp 2s --duration 12s --threshold 'lost<=0,ackedButLost<=0'
