#!/usr/bin/env bash
# Files in a bucket, against an S3 server: moto's (https://docs.getmoto.org), which keeps
# objects in memory and speaks S3 as boto3 does.
#
# Needs moto_server on the PATH (pip install 'moto[server]'), curl and Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PETREL_S3_PORT:-19090}
endpoint=http://127.0.0.1:$port
log=$(mktemp)
moto_server --host 127.0.0.1 --port "$port" >"$log" 2>&1 &
server=$!
finish() {
    kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -f "$log"
}
trap finish EXIT
for _ in $(seq 150); do
    curl --silent --fail --output /dev/null "$endpoint/moto-api/" && break
    kill -0 "$server" || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
curl --silent --show-error --fail --request PUT "$endpoint/petrel-files" >/dev/null

PETREL_S3_ENDPOINT=$endpoint "${CARGO:-cargo}" test --locked --workspace --test it -- --ignored s3::
