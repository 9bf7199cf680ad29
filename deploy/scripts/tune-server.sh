#!/usr/bin/env bash
# Raises the system's limits for a server with very many connections; see tune.sh --help.
exec "$(dirname "$0")/tune.sh" server "$@"
