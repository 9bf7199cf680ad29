#!/usr/bin/env bash
# The ladder of connections: 1,000, 10,000, 30,000, 50,000, each held for a while.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-ws.sh [HOST:PORT] [CONNECTIONS …] [-- WSBENCH OPTIONS]

Opens and holds so many connections, one step after the other (default: localhost:8084 and
1000 10000 30000 50000), and ends at the first step that fails. Reports go to results/.
More options go to wsbench and win: bench-ws.sh localhost:8084 1000 -- --duration 30s
USAGE
}

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=deploy/scripts/ladder.sh
. "$here/ladder.sh"
# shellcheck source=deploy/scripts/wsbench-path.sh
. "$here/wsbench-path.sh"
for conns in ${steps:-1000 10000 30000 50000}; do
    echo "=== $conns connections"
    "$wsbench" connect-only --target "ws://$server/ws" --conns "$conns" --ramp 1m --duration 5m \
        --max-cps 2000 --ping-interval 60s --read-timeout 180s --out-dir results "$@"
done
