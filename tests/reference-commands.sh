#!/usr/bin/env bash
# Runs every command that the documents of the reference systems print for benches, scripts
# and operation, scaled down, against a server of our own, or says why it can't be.
# tests/reference-commands.txt has them. Fails if one of them fails.
#
# Needs the release binaries (make build wsbench) and curl.
set -euo pipefail
cd "$(dirname "$0")/.."

petrel="${PETREL:-$PWD/target/release/petrel}"
wsbench="${WSBENCH:-$PWD/target/release/wsbench}"
scripts="$PWD/deploy/scripts"
work="$(mktemp -d)"
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
    rm -rf "$work"
}
trap finish EXIT

"$petrel" serve --bench-issuer --data-dir "$work/data" --http 127.0.0.1:0 --gateway 127.0.0.1:0 \
    --admin 127.0.0.1:0 >"$work/served" 2>&1 &
server=$!
for _ in $(seq 100); do
    grep -q Stop "$work/served" && break
    kill -0 "$server" || { cat "$work/served" >&2; exit 1; }
    sleep 0.1
done
http="$(sed -n 's/ *HTTP API *//p' "$work/served")"
admin="$(sed -n 's/ *Admin *//p' "$work/served")"
host="$(sed -n 's|^ *WebSocket *ws://\([^/]*\)/.*|\1|p' "$work/served")"

common="--data-dir $work/data --no-ceiling --late-after 1m --max-cps 1000"
small="--scale 0.005 $common"
smaller="--scale 0.002 $common"
export petrel wsbench scripts work http admin host small smaller WSBENCH="$wsbench" \
    PETREL_DATA_DIR="$work/data"

# Shows what it would change, and ends with 3 if there is something to change.
shown() {
    local code=0
    "$@" || code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ]
}
export -f shown

ran=0 left=0 failed=0
try() { # PRINTED COMMAND [WHERE]
    local begin=$SECONDS
    if (cd "${3:-$work}" && bash -o pipefail -c "$2") >"$work/out" 2>&1 </dev/null; then
        printf 'ok    %3ss  %s\n' "$((SECONDS - begin))" "$1"
        ran=$((ran + 1))
    else
        printf 'FAIL  %3ss  %s\n            %s\n' "$((SECONDS - begin))" "$1" "$2"
        sed 's/^/            | /' "$work/out" | tail -n 30
        failed=$((failed + 1))
    fi
}

while IFS= read -r line; do
    case "$line" in
        "# "* | "") ;;
        "## "*) echo "--- ${line#\#\# }" ;;
        *" => none: "*)
            printf 'none        %s\n            %s\n' "${line%% => *}" "${line#* => none: }"
            left=$((left + 1))
            ;;
        *" => make "*) try "${line%% => *}" "${line#* => }" "$PWD" ;;
        *" => "*) try "${line%% => *}" "${line#* => }" ;;
        *)
            echo "tests/reference-commands.txt: what is this? $line" >&2
            exit 2
            ;;
    esac
done <tests/reference-commands.txt

echo "--- EthanQC/IM, every wsbench command line"
while IFS= read -r line; do
    arguments="${line#./wsbench}"
    arguments="${arguments//HOST/$host}"
    case "$line" in
        *--help*) try "$line" "$wsbench $arguments" && continue ;;
        # The rest is left to the reader.
        *...) arguments="${arguments%...} --target=ws://$host/ws --conns=100 --duration=1m --ramp=10s" ;;
    esac
    case "$line" in
        *4h*) scale=0.0002 ;;
        *30m*) scale=0.001 ;;
        *) scale=0.005 ;;
    esac
    try "$line" "$wsbench $arguments --scale $scale $common"
done <crates/wsbench/tests/it/command-lines.txt

echo
echo "$ran ran, $left can't be run here, $failed failed"
[ "$failed" = 0 ]
