#!/bin/sh
# Starts a node on free ports and a fresh data directory, runs a small set of scenarios
# against it, prints their reports and a summary. Fails if one of them does.
#
# BENCH=figures runs the set behind docs/benchmarks.md instead, which takes a quarter of an
# hour and wants a machine that has nothing else to do. BENCH=storm is a part of it: what those
# who talk notice while STORM others (15,000) connect in the same second. RESULTS names a folder
# to keep everything in.
set -eu
cd "$(dirname "$0")/.."
data=$(mktemp -d)
results=${RESULTS:-$data/results}
log=$data/serve.log
petrel=${PETREL:-target/release/petrel}
wsbench=${WSBENCH:-target/release/wsbench}
server=
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; }; rm -rf "$data"' EXIT

$petrel serve --bench-issuer --data-dir "$data" --http 127.0.0.1:0 --gateway 127.0.0.1:0 --admin 127.0.0.1:0 >"$log" 2>&1 &
server=$!
while ! grep -q Stop "$log"; do
    kill -0 "$server" || { cat "$log"; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/ *WebSocket *//p' "$log")
admin=$(sed -n 's/ *Admin *//p' "$log")

worst=0
bench() { # SCENARIO OPTIONS …
    echo "\$ wsbench $*" >&2
    status=0
    $wsbench "$@" --target "$url" --data-dir "$data" --out-dir "$results" \
        --server-metrics "$admin/metrics" || status=$?
    [ "$status" -le "$worst" ] || worst=$status
}

# What those who talk notice of those who arrive: two runs at once, each with users of its own.
storm() { # CONNECTIONS
    (
        bench single-e2e --conns 400 --ramp 1s --duration 24s --rate 2000 --no-ceiling
        exit "$worst"
    ) &
    talking=$!
    # They have talked for a while before it begins, and do so when it is over.
    sleep 6
    bench connect-only --conns "$1" --ramp 1s --max-cps "$1" --duration 12s --ping-interval 8s \
        --user-base 500000000 --no-ceiling
    status=0
    wait "$talking" || status=$?
    [ "$status" -le "$worst" ] || worst=$status
}

case ${BENCH:-local} in
local)
    bench connect-only --conns 1000 --ramp 5s --duration 15s --ping-interval 5s --no-ceiling
    bench ping --conns 500 --ramp 2s --duration 12s --no-ceiling
    bench single-e2e --conns 200 --ramp 2s --duration 12s --no-ceiling --threshold 'lost<=0,ackedButLost<=0'
    bench group-fanout --conns 200 --group-size 100 --group-senders 10 --rate 50 --ramp 2s --duration 12s \
        --no-ceiling --threshold 'lost<=0,ackedButLost<=0'
    ;;
figures)
    bench connect-only --conns 18000 --ramp 4s --max-cps 6000 --duration 14s --ping-interval 8s
    bench connect-rate --duration 12s --rate-from 1000 --step 2s
    bench ping --conns 5000 --ramp 2s --max-cps 5000 --duration 22s
    bench single-e2e --conns 400 --ramp 1s --duration 30s --rate 8000
    bench single-e2e --conns 5000 --ramp 2s --max-cps 5000 --duration 62s --rate 20000
    bench order --conns 20 --duration 22s
    bench group-fanout --conns 200 --group-size 200 --group-senders 20 --rate 400 --ramp 1s --duration 30s
    bench group-fanout --conns 400 --group-size 200 --group-senders 20 --rate 2000 --ramp 1s --max-cps 2000 --duration 30s
    bench group-fanout --conns 10000 --group-size 10000 --group-senders 10 --rate 2 --ramp 4s --max-cps 5000 --duration 30s
    bench offline-pull --conns 2000 --ramp 1s --max-cps 4000 --duration 60s
    bench reconnect-storm --conns 15000 --ramp 4s --max-cps 6000 --duration 30s --msg-rate 6 --reconnect-jitter 500ms
    bench flap --conns 1000 --ramp 1s --duration 30s
    bench slow-consumer --conns 200 --msg-interval 10ms --payload-size 4000 --slow-percent 30 --slow-delay 1s --ramp 2s --duration 30s
    bench soak --conns 2000 --ramp 2s --max-cps 2000 --duration 3m --msg-rate 60
    storm 15000
    ;;
storm)
    storm "${STORM:-15000}"
    ;;
*)
    echo "BENCH is local, figures or storm" >&2
    exit 2
    ;;
esac

# One line for each run: what was asked, what came, under which conditions, what it means.
printf '\n%-16s %7s %6s %9s %9s %11s %9s %9s %9s %6s  %s\n' scenario conns bytes 'under way' sent/s \
    delivered/s 'p50 ms' 'p99 ms' 'fsync p99' lost result
for table in "$results"/*/report.csv; do
    awk -F, '
        { value[$1] = $2 }
        END {
            kind = "connect"
            if ("timesMs.ping.p99" in value) kind = "ping"
            if ("timesMs.e2e.p99" in value) kind = "e2e"
            if ("timesMs.fanoutLast.p99" in value) kind = "fanoutLast"
            at = "rates.conditions."
            printf "%-16s %7d %6d %9.1f %9.0f %11.0f %9.2f %9.2f %9s %6d  %s (%s)\n",
                value["plan.scenario"], value[at "connections"], value[at "payloadBytes"],
                value[at "inFlightMean"], value["rates.sentPerSecond"],
                value["rates.deliveredPerSecond"], value["timesMs." kind ".p50"],
                value["timesMs." kind ".p99"], value[at "fsyncP99Ms"], value["deliveries.lost"],
                value["verdict.outcome"], kind
        }' "$table"
done
exit "$worst"
