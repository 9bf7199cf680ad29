#!/usr/bin/env bash
# Raises the system's limits for a machine that runs wsbench; see tune.sh --help.
exec "$(dirname "$0")/tune.sh" bench-client "$@"
