#!/usr/bin/env bash
# Shows a server under load, a line every few seconds: connections, commands, memory, CPU.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: monitor-bench.sh [HOST:PORT] [--metrics URL] [--every SECONDS] [--for SECONDS] [--csv FILE]

Reads http://HOST:PORT/stats (default localhost:8084) and, if the server is on this machine
and its admin listener is on, its metrics (default http://127.0.0.1:6060/metrics).
Commands are messages, changes and receipts that were decided.
Ends after --for seconds (default 3600), or with Ctrl-C. --csv writes the same to a file.
Memory and CPU are those of the process that listens on PORT, if it is on this machine.
USAGE
}

fail() {
    echo "monitor-bench.sh: $1" >&2
    exit "${2:-1}"
}

server="localhost:8084"
metrics="http://127.0.0.1:6060/metrics"
every=2
for_seconds=3600
csv=""
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help)
            usage
            exit 0
            ;;
        --metrics | --every | --for | --csv)
            [ $# -ge 2 ] || fail "$1 needs a value" 2
            case "$1" in
                --metrics) metrics="$2" ;;
                --every) every="$2" ;;
                --for) for_seconds="$2" ;;
                --csv) csv="$2" ;;
            esac
            shift
            ;;
        -*) fail "unknown option $1; see --help" 2 ;;
        *) server="$1" ;;
    esac
    shift
done

get() {
    curl --silent --fail --max-time 2 "$1" 2>/dev/null
}

# The process that listens on the server's port, if it is on this machine.
process() {
    local port="${server##*:}"
    if command -v ss >/dev/null; then
        ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1
    elif command -v lsof >/dev/null; then
        lsof -t -iTCP:"$port" -sTCP:LISTEN 2>/dev/null | head -n 1
    fi
}

# Adds up all series of a metric.
sum_of() {
    awk -v name="$1" '$1 ~ "^" name "({|$)" { sum += $NF } END { printf "%.0f", sum }'
}

# Connections of the server, or to it if it is elsewhere.
established() {
    local port="${server##*:}" end="dport"
    [ -z "$pid" ] || end="sport"
    if command -v ss >/dev/null; then
        ss -Htn state established "$end = :$port" | wc -l | tr -d ' '
    else
        netstat -an | grep "[.:]$port " | grep -c ESTABLISHED || true
    fi
}

get "http://$server/stats" >/dev/null ||
    fail "nobody answers http://$server/stats: is the server up, and is this its gateway port?"

columns="seconds,connections,users_online,commands_queued,commands_total,commands_per_s,rss_mib,cpu_percent,tcp_established"
[ -z "$csv" ] || echo "$columns" >"$csv"
printf '%8s %12s %12s %10s %14s %12s %9s %6s %12s\n' \
    seconds connections users queued commands commands/s RSS/MiB CPU% TCP
started="$(date +%s)"
last_commands=""
last_at="$started"
while :; do
    now="$(date +%s)"
    [ $((now - started)) -lt "$for_seconds" ] || break
    stats="$(get "http://$server/stats" || echo '{}')"
    field() { echo "$stats" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
    commands="$(get "$metrics" | sum_of petrel_sequencer_commands_total || true)"
    rate="-"
    if [ -n "$last_commands" ] && [ "$now" -gt "$last_at" ] && [ -n "$commands" ]; then
        rate=$(((commands - last_commands) / (now - last_at)))
    fi
    last_commands="$commands"
    last_at="$now"
    rss="-"
    cpu="-"
    pid="$(process || true)"
    if [ -n "$pid" ]; then
        rss="$(ps -o rss= -p "$pid" | awk '{ printf "%d", $1 / 1024 }')"
        cpu="$(ps -o pcpu= -p "$pid" | tr -d ' ')"
    fi
    set -- "$((now - started))" "$(field total_connections)" "$(field users_online)" \
        "$(field commands_queued)" "${commands:--}" "$rate" "$rss" "$cpu" "$(established)"
    printf '%8s %12s %12s %10s %14s %12s %9s %6s %12s\n' "$@"
    if [ -n "$csv" ]; then
        line="$(printf '%s,' "$@")"
        echo "${line%,}" >>"$csv"
    fi
    sleep "$every"
done
