#!/usr/bin/env bash
# 50,000 connections from this machine. Two machines make 100,000: give the second one an
# offset, so that they are different users.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: run-50k-bench.sh HOST:PORT [OFFSET] [-- WSBENCH OPTIONS]

  HOST:PORT  the server's gateway, as 192.168.1.100:8084
  OFFSET     how far the users of this machine are from the first user (default 0;
             50000 on a second machine)

More options go to wsbench and win: run-50k-bench.sh localhost:8084 0 -- --conns 5000 --duration 1m
WSBENCH names the program (default: target/release/wsbench, else the one on the PATH).
Prepare the machine with: sudo tune-bench-client.sh --apply
USAGE
}

case "${1:-}" in
    -h | --help)
        usage
        exit 0
        ;;
    "" | -*)
        usage >&2
        exit 2
        ;;
esac
server="$1"
shift
offset=0
if [ $# -gt 0 ] && [ "$1" != "--" ]; then
    offset="$1"
    shift
fi
[ "${1:-}" != "--" ] || shift
case "$offset" in
    "" | *[!0-9]*)
        echo "run-50k-bench.sh: $offset is no number; see --help" >&2
        exit 2
        ;;
esac

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=deploy/scripts/wsbench-path.sh
. "$here/wsbench-path.sh"
exec "$wsbench" connect-only --target "ws://$server/ws" --conns 50000 --ramp 5m --duration 30m \
    --max-cps 300 --ping-interval 60s --handshake-timeout 30s --retry 3 --retry-delay 2s \
    --read-timeout 180s --user-base "$((1000000 + offset))" --out-dir results "$@"
