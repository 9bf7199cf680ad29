#!/usr/bin/env bash
# Runs the Autobahn test suite against our codec (crates/petrel-websocket/examples/echo.rs).
# The suite needs Python 2.7: PYTHON2=python2.7 by default. Compression (groups 12 and 13)
# is not spoken, and left out.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON2:-python2.7}
address=${ADDRESS:-127.0.0.1:9001}
work=target/autobahn
command -v "$python" >/dev/null || { echo "the Autobahn suite needs Python 2.7: set PYTHON2 to it" >&2; exit 1; }

if [ ! -e "$work/site/bin/wstest" ]; then
    "$python" -m pip install --quiet --target "$work/site" autobahntestsuite==25.10.1
    # An install into a folder leaves out what makes this a package.
    touch "$work/site/zope/__init__.py"
fi
cargo build --release --locked --package petrel-websocket --example echo
"${CARGO_TARGET_DIR:-target}/release/examples/echo" "$address" &
echo_pid=$!
trap 'kill $echo_pid' EXIT

cat >"$work/spec.json" <<SPEC
{"outdir": "$work/reports", "cases": ["*"], "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {},
 "servers": [{"agent": "petrel-websocket", "url": "ws://$address", "options": {"version": 18}}]}
SPEC
PYTHONPATH=$work/site "$python" "$work/site/bin/wstest" -m fuzzingclient -s "$work/spec.json" >"$work/log"
"$python" - "$work/reports/index.json" <<'PYTHON'
import collections, json, sys
cases = json.load(open(sys.argv[1]))["petrel-websocket"]
wrong = sorted(n for n, c in cases.items() if not {c["behavior"], c["behaviorClose"]} <= {"OK", "INFORMATIONAL"})
print("%d cases: %s" % (len(cases), dict(collections.Counter(c["behavior"] for c in cases.values()))))
sys.exit("wrong: " + ", ".join(wrong) if wrong else 0 if cases else "no case was run")
PYTHON
