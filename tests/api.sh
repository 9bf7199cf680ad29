#!/usr/bin/env bash
# Holds the server to its own OpenAPI document, with schemathesis: every operation, with
# right and wrong input. Answers must have a documented status and form, and nothing may
# end in a server error.
#
# One check is left out, that whatever fits the schema is accepted: bounds in bytes and
# rules between fields can't be said in JSON Schema. And two subjects are tried elsewhere:
# uploads by tus, whose headers mean what that protocol says (crates/petrel/tests/it/files),
# and that to who is no admin there is nothing below /api/admin, whatever the method.
#
# Needs the release binary (make build), curl, python3, and schemathesis 4 on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

petrel=${PETREL:-target/release/petrel}
examples=${PETREL_API_EXAMPLES:-25}
# The same requests each time, so that a change is judged by what it changes. Other seeds and
# more examples look further: PETREL_API_SEED=random PETREL_API_EXAMPLES=200.
seed=${PETREL_API_SEED:-1}
[ "$seed" = random ] && seed=$RANDOM
data=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
    rm -rf "$data"
}
trap finish EXIT

"$petrel" serve --data-dir "$data" --http 127.0.0.1:0 --gateway 127.0.0.1:0 --admin off >"$data/out" 2>"$data/log" &
server=$!
for _ in $(seq 100); do
    grep -q "HTTP API" "$data/out" && break
    kill -0 "$server" || { cat "$data/log" >&2; exit 1; }
    sleep 0.1
done
http=$(sed -n 's/.*HTTP API *//p' "$data/out")

user=$(curl --silent --show-error --fail "$http/api/auth/register" \
    --header 'content-type: application/json' \
    --data '{"username": "storm", "password": "a long password"}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["userId"])')
# A token of no log-in: it lasts for the whole run, and outlives the log-outs in it.
token=$("$petrel" token "$user" --data-dir "$data")

cd "$data" # where schemathesis leaves its notes
hold() {
    st run "$http/openapi.json" --header "Authorization: Bearer $token" --checks all \
        --max-examples "$examples" --seed "$seed" --workers 1 --no-color "$@"
}
hold --exclude-path-regex '^/api/(files/tus|admin)' --exclude-checks positive_data_acceptance
hold --include-path-regex '^/api/admin' --exclude-checks positive_data_acceptance,unsupported_method
