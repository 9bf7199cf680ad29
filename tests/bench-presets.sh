#!/bin/sh
# Runs the drills of the reference systems (wsbench presets) against a node on free ports
# and a fresh data directory, and prints their figures beside ours as a Markdown table.
#
# SCALE makes connections and times smaller (default 1: about three quarters of an hour
# without the largest ones). PRESETS names the drills, separated by spaces. RESULTS keeps
# the reports. Fails if a run can't be made at all, not if a threshold is missed: the table
# says so.
set -eu
cd "$(dirname "$0")/.."
data=$(mktemp -d)
results=${RESULTS:-$data/results}
scale=${SCALE:-1}
log=$data/serve.log
petrel=${PETREL:-target/release/petrel}
wsbench=${WSBENCH:-target/release/wsbench}
presets=${PRESETS:-restart redis-away flap slow-200 slow-4000 gatling-100 gatling-1000 gatling-10000}
stop() { [ ! -f "$data/pid" ] || kill "$(cat "$data/pid")" 2>/dev/null || true; }
trap 'stop; sleep 1; rm -rf "$data"' EXIT

# Ports that stay the same after a restart.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
http=$(free_port)
gateway=$(free_port)
cat >"$data/start" <<START
#!/bin/sh
$petrel serve --bench-issuer --data-dir $data --http 127.0.0.1:$http --gateway 127.0.0.1:$gateway --admin off \$(cat $data/settings) >>$log 2>&1 &
echo \$! >$data/pid
START
cat >"$data/restart" <<RESTART
#!/bin/sh
kill \$(cat $data/pid)
while kill -0 \$(cat $data/pid) 2>/dev/null; do sleep 0.05; done
exec $data/start
RESTART
chmod +x "$data/start" "$data/restart"
# The settings of the node while a drill runs, where the reference system had its own.
settings_for() {
    case $1 in
    slow-4000) echo --set gateway.outbox_low_water_bytes=32768 --set gateway.outbox_high_water_bytes=65536 --set gateway.close_unwritable_after=1500ms ;;
    esac
}
wait_for_start() {
    while ! grep -q Stop "$log"; do
        kill -0 "$(cat "$data/pid")" || { cat "$log"; exit 1; }
        sleep 0.1
    done
}
: >"$data/settings"
"$data/start"
wait_for_start

for preset in $presets; do
    set -- --preset "$preset"
    [ "$scale" = 1 ] || set -- "$@" --scale "$scale"
    [ "$preset" != restart ] || set -- "$@" --run-at "15s:$data/restart"
    if [ "$(settings_for "$preset")" != "$(cat "$data/settings")" ]; then
        settings_for "$preset" >"$data/settings"
        stop
        while kill -0 "$(cat "$data/pid")" 2>/dev/null; do sleep 0.1; done
        : >"$log"
        "$data/start"
        wait_for_start
    fi
    echo "\$ wsbench $*" >&2
    status=0
    $wsbench "$@" --target "ws://127.0.0.1:$gateway/ws" --data-dir "$data" --out-dir "$results" >/dev/null || status=$?
    # 4, 5 and 6 are in the table.
    case $status in 0 | 4 | 5 | 6) ;; *) exit "$status" ;; esac
done
$wsbench presets --table "$results"
