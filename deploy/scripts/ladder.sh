# For the scripts that climb step by step: reads [HOST:PORT] [NUMBER …] [-- OPTIONS] into
# $server, $steps and "$@". The caller has a function `usage` and sets $here.
# shellcheck shell=bash disable=SC2034
server=localhost:8084
steps=""
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help)
            usage
            exit 0
            ;;
        --)
            shift
            break
            ;;
        *:*) server="$1" ;;
        *[!0-9]* | "")
            echo "${0##*/}: $1 is neither HOST:PORT nor a number; see --help" >&2
            exit 2
            ;;
        *) steps="$steps $1" ;;
    esac
    shift
done
