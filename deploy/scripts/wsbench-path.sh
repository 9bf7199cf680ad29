# Sets $wsbench for the scripts beside this one. $here is the directory they are in.
# shellcheck shell=bash disable=SC2154,SC2034
if [ -n "${WSBENCH:-}" ]; then
    wsbench="$WSBENCH"
elif [ -x "$here/../../target/release/wsbench" ]; then
    wsbench="$here/../../target/release/wsbench"
elif command -v wsbench >/dev/null; then
    wsbench=wsbench
else
    echo "${0##*/}: there is no wsbench: build it with \`make wsbench\`, or name it in WSBENCH" >&2
    exit 1
fi
