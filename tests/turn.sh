#!/usr/bin/env bash
# Whether a real TURN server takes our credentials: coturn, set up as docs/operations.md says.
#
# A relay is allocated, and messages go through it, with the credentials of a user as they
# come from /api/calls/turn, before and after the secret is changed. A false password, a
# time that is over and a time that was moved are refused.
#
# Needs turnserver and turnutils_uclient (Debian: coturn), curl, python3, openssl, and the
# release binary (make build).
set -euo pipefail
cd "$(dirname "$0")/.."

petrel=${PETREL:-target/release/petrel}
for tool in turnserver turnutils_uclient openssl curl python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing; on Debian: apt install coturn openssl curl python3" >&2; exit 2; }
done
port=${PETREL_TURN_PORT:-13478}
data=$(mktemp -d)
server= relay=
finish() {
    for process in $server $relay; do
        kill "$process" 2>/dev/null && wait "$process" 2>/dev/null
    done
    rm -rf "$data"
}
trap finish EXIT

old=$(openssl rand -hex 32)
new=$(openssl rand -hex 32)
echo "$old" >"$data/turn-secret"
cat >"$data/turnserver.conf" <<END
use-auth-secret
# An old one and a new one, as while a secret is changed.
static-auth-secret=$old
static-auth-secret=$new
realm=petrel.test
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port=$port
user-quota=12
no-tls
no-dtls
no-cli
# For this test only: both sides of the relay are this machine.
allow-loopback-peers
pidfile=$data/turnserver.pid
userdb=$data/turndb
log-file=stdout
END
turnserver -c "$data/turnserver.conf" >"$data/relay.log" 2>&1 &
relay=$!
cat >"$data/petrel.toml" <<END
[calls]
stun_urls = ["stun:127.0.0.1:$port"]
turn_urls = ["turn:127.0.0.1:$port?transport=udp"]
turn_secret_file = "$data/turn-secret"
turn_credentials_last = "1h"
END

# Starts petrel, and asks it for credentials: sets username and credential.
ask() {
    "$petrel" serve --config "$data/petrel.toml" --data-dir "$data/petrel" --http 127.0.0.1:0 \
        --gateway 127.0.0.1:0 --admin off >"$data/out" 2>"$data/log" &
    server=$!
    for _ in $(seq 100); do
        grep -q "HTTP API" "$data/out" && break
        kill -0 "$server" || { cat "$data/log" >&2; exit 1; }
        sleep 0.1
    done
    local http token answer
    http=$(sed -n 's/.*HTTP API *//p' "$data/out")
    if [ ! -f "$data/user" ]; then
        curl --silent --show-error --fail "$http/api/auth/register" \
            --header 'content-type: application/json' \
            --data '{"username": "storm", "password": "a long password"}' |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["userId"])' >"$data/user"
    fi
    token=$("$petrel" token "$(cat "$data/user")" --data-dir "$data/petrel")
    answer=$(curl --silent --show-error --fail --header "Authorization: Bearer $token" "$http/api/calls/turn")
    username=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["data"]["username"])' "$answer")
    credential=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["data"]["credential"])' "$answer")
    kill "$server"
    wait "$server" || true
    server=
}

# Sends five messages through a relay to itself, and back; the client gives up by itself.
allocate() {
    timeout 60 turnutils_uclient -y -c -n 5 -m 1 -p "$port" -u "$1" -w "$2" 127.0.0.1 >"$data/client.log" 2>&1 &&
        grep -q "Total lost packets 0 " "$data/client.log"
}

expect() {
    local wanted=$1 what=$2
    shift 2
    if allocate "$@"; then got=taken; else got=refused; fi
    if [ "$got" != "$wanted" ]; then
        echo "FAILED: $what was $got" >&2
        cat "$data/client.log" "$data/relay.log" >&2
        exit 1
    fi
    echo "$what: $got"
}

hmac() {
    printf %s "$1" | openssl dgst -sha1 -hmac "$old" -binary | base64
}

ask
for _ in $(seq 100); do
    grep -q "Relay ports initialization done\|IO method" "$data/relay.log" && break
    kill -0 "$relay" || { cat "$data/relay.log" >&2; exit 1; }
    sleep 0.1
done
expect taken "a user's credential" "$username" "$credential"
expect refused "a false password" "$username" "$(hmac "somebody else")"
over="$(($(date +%s) - 60)):${username#*:}"
expect refused "a credential whose time is over" "$over" "$(hmac "$over")"
later="$((${username%%:*} + 3600)):${username#*:}"
expect refused "a credential with another time" "$later" "$credential"
echo "$new" >"$data/turn-secret"
ask
expect taken "a credential of the new secret" "$username" "$credential"
