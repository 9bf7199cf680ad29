#!/usr/bin/env bash
# The ladder of messages: end to end at 1,000, 5,000, 10,000, 20,000 a second.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-msg.sh [HOST:PORT] [MESSAGES_PER_SECOND …] [-- WSBENCH OPTIONS]

Sends so many messages a second between 2,000 connections, one step after the other
(default: localhost:8084 and 1000 5000 10000 20000), and ends at the first step that fails:
when a message is lost or doubled, or the run says nothing about the server. Reports go to
results/. More options go to wsbench and win: bench-msg.sh -- --conns 200 --duration 30s
USAGE
}

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=deploy/scripts/ladder.sh
. "$here/ladder.sh"
# shellcheck source=deploy/scripts/wsbench-path.sh
. "$here/wsbench-path.sh"
for rate in ${steps:-1000 5000 10000 20000}; do
    echo "=== $rate messages a second"
    "$wsbench" single-e2e --target "ws://$server/ws" --conns 2000 --ramp 10s --duration 1m \
        --rate "$rate" --out-dir results "$@"
done
