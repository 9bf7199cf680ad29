#!/usr/bin/env bash
# Tries the operator's scripts: what they would change, and that they take it back.
set -euo pipefail
cd "$(dirname "$0")/../deploy/scripts"

fail() {
    echo "tests/scripts.sh: $1" >&2
    exit 1
}

root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT

for script in *.sh; do
    bash -n "$script"
    if [ -x "$script" ] && [ "$script" != tune-macos.sh ]; then
        "./$script" --help | grep -q Usage || fail "$script --help does not teach"
        code=0
        "./$script" --no-such-option >/dev/null 2>&1 || code=$?
        [ "$code" = 2 ] || fail "$script takes an unknown option, with $code"
    fi
done

files() { find "$root" -type f | sort; }

for profile in server bench-client; do
    before="$(sysctl -n net.core.somaxconn 2>/dev/null || true)"
    code=0
    "./tune-$profile.sh" --root "$root" >"$root.shown" || code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ] || fail "showing $profile ends with $code"
    [ -z "$(files)" ] || fail "showing $profile wrote $(files)"

    "./tune-$profile.sh" --apply --root "$root" >/dev/null
    [ -n "$(files)" ] || fail "$profile --apply wrote nothing"
    first="$(files | xargs cat)"
    "./tune-$profile.sh" --apply --root "$root" >/dev/null
    [ "$(files | xargs cat)" = "$first" ] || fail "$profile --apply twice is not the same as once"

    "./tune-$profile.sh" --undo --root "$root" >/dev/null
    [ -z "$(files)" ] || fail "$profile --undo left $(files)"
    "./tune-$profile.sh" --undo --root "$root" >/dev/null
    [ "$(sysctl -n net.core.somaxconn 2>/dev/null || true)" = "$before" ] ||
        fail "$profile --root touched the running system"
    rm -f "$root.shown"
done

./collect.sh - "$root/collected" --server 127.0.0.1:1 --metrics http://127.0.0.1:1/ >/dev/null
[ -s "$root/collected/disk.txt" ] || fail "collect.sh did not look at the disk"
grep -q '^stats.json: ' "$root/collected/missing.txt" || fail "collect.sh hides what it could not have"
if ./collect.sh - "$root/collected" >/dev/null 2>&1; then
    fail "collect.sh wrote into a folder that was not empty"
fi
if ./monitor-bench.sh 127.0.0.1:1 >/dev/null 2>&1; then
    fail "monitor-bench.sh watches a server that is not there"
fi
echo "the scripts do what they say"
