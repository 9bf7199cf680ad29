#!/usr/bin/env bash
# Raises the limits of macOS, for a server; see tune.sh --help.
if [ "$(uname -s)" != Darwin ]; then
    echo "tune-macos.sh: this is not macOS; use tune-server.sh or tune-bench-client.sh" >&2
    exit 1
fi
exec "$(dirname "$0")/tune.sh" server "$@"
