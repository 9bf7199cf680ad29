#!/usr/bin/env bash
# Two browsers on machines of their own talk to each other while the network of one changes.
#
# The machines are network namespaces: a hub, in which the server and the test run, ada with one
# line to it, and bob with two. They are removed at the end, however it comes. Needs root,
# iproute2, Node, Chromium and the server with the web client (PETREL=…, or target/release/petrel).
# What follows it is passed on to the test (-t "for a while").
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
    echo "skipped: only root can make network interfaces and take them away (sudo make test-call-network)"
    exit 0
fi
if ! command -v ip >/dev/null; then
    echo "there is no ip here: apt install iproute2" >&2
    exit 1
fi

name="petrel-$$"
hub="$name-hub" ada="$name-ada" bob="$name-bob"
browsers=$(mktemp -d)

remove() {
    for machine in "$bob" "$ada" "$hub"; do
        # Nobody but the test's own processes is in there.
        ip netns pids "$machine" 2>/dev/null | xargs --no-run-if-empty kill -KILL 2>/dev/null || true
        ip netns del "$machine" 2>/dev/null || true
    done
    rm -rf "$browsers"
}
trap remove EXIT
trap 'exit 130' INT TERM

if ! ip netns add "$hub" 2>/dev/null; then
    echo "skipped: this system lets nobody make network namespaces"
    exit 0
fi
ip -n "$hub" link set lo up
ip -n "$hub" address add 10.77.0.1/32 dev lo
ip netns exec "$hub" sysctl --quiet --write net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
for machine in "$ada" "$bob"; do
    ip netns add "$machine"
    ip -n "$machine" link set lo up
    printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "$machine" "${CHROMIUM:-/usr/bin/chromium}" > "$browsers/${machine##*-}"
    chmod +x "$browsers/${machine##*-}"
done

# The test runs in the hub, and asks for lines with these.
export NETWORK_HUB="$hub" NETWORK_ADA="$ada" NETWORK_BOB="$bob" NETWORK_BROWSERS="$browsers"
PETREL="$(realpath "${PETREL:-target/release/petrel}")"
export PETREL
cd web
# In the background, so that whoever ends this ends the test at once.
ip netns exec "$hub" timeout --kill-after=10 300 npm run --silent test:network -- "$@" &
wait $!
