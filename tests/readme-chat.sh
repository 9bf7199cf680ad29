#!/usr/bin/env bash
# Runs the README's first chat to the letter, on the default ports, with a fresh data
# directory. Needs Python 3 with the websockets package, and curl.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 tests/readme_chat.py README.md "${PETREL:-target/release/petrel}"
