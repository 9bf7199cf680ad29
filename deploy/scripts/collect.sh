#!/usr/bin/env bash
# Collects what one wants to have seen of a server after a test, into one folder.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: collect.sh [NAMESPACE] [FOLDER] [--server HOST:PORT] [--metrics URL] [--data-dir DIR]

  NAMESPACE   of the cluster; `-` (the default) for this machine only
  FOLDER      default results/YYYYMMDD_HHMMSS; must not exist or be empty

On this machine: stats, metrics, limits, sockets, memory, disk, the server's process.
In a cluster, with kubectl: pods, logs, autoscaling, events, resources.
Tokens and keys are not collected. What can't be had is named in missing.txt.
USAGE
}

fail() {
    echo "collect.sh: $1" >&2
    exit "${2:-1}"
}

namespace=-
folder=""
server=localhost:8084
metrics=http://127.0.0.1:6060/metrics
data=petrel-data
positional=0
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help)
            usage
            exit 0
            ;;
        --server | --metrics | --data-dir)
            [ $# -ge 2 ] || fail "$1 needs a value" 2
            case "$1" in
                --server) server="$2" ;;
                --metrics) metrics="$2" ;;
                --data-dir) data="$2" ;;
            esac
            shift
            ;;
        -?*) fail "unknown option $1; see --help" 2 ;;
        *)
            positional=$((positional + 1))
            case "$positional" in
                1) namespace="$1" ;;
                2) folder="$1" ;;
                *) fail "too many arguments; see --help" 2 ;;
            esac
            ;;
    esac
    shift
done
folder="${folder:-results/$(date +%Y%m%d_%H%M%S)}"
if [ -d "$folder" ] && [ -n "$(ls -A "$folder")" ]; then
    fail "$folder is not empty; name another folder"
fi
mkdir -p "$folder"

# Runs a command for at most 20 seconds and keeps what it says.
keep() {
    local file="$folder/$1"
    shift
    if ! command -v "$1" >/dev/null; then
        echo "${file##*/}: there is no $1 here" >>"$folder/missing.txt"
    elif ! limited "$@" >"$file" 2>"$file.err"; then
        echo "${file##*/}: $(tail -n 1 "$file.err")" >>"$folder/missing.txt"
    fi
    rm -f "$file.err"
    [ -s "$file" ] || rm -f "$file"
}

limited() {
    if command -v timeout >/dev/null; then timeout 20 "$@"; else "$@"; fi
}

date -u +%Y-%m-%dT%H:%M:%SZ >"$folder/collected-at.txt"
keep stats.json curl -sS --fail "http://$server/stats"
keep metrics.txt curl -sS --fail "$metrics"
keep health.json curl -sS --fail "http://$server/healthz"
keep system.txt uname -a
keep limits.txt bash -c 'ulimit -a'
keep memory.txt bash -c 'free -m 2>/dev/null || vm_stat'
keep disk.txt df -h
keep load.txt uptime
if [ "$(uname -s)" = Linux ]; then
    keep sockets.txt ss -s
    keep sysctl.txt bash -c 'sysctl fs.file-max fs.file-nr fs.nr_open net.core.somaxconn \
        net.ipv4.tcp_max_syn_backlog net.ipv4.ip_local_port_range net.ipv4.tcp_tw_reuse \
        net.ipv4.tcp_mem net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_count 2>/dev/null'
    pid="$(ss -Hltnp "sport = :${server##*:}" 2>/dev/null | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1)"
    if [ -n "$pid" ]; then
        keep process-status.txt cat "/proc/$pid/status"
        keep process-limits.txt cat "/proc/$pid/limits"
        keep process-files.txt bash -c "ls /proc/$pid/fd | wc -l"
    fi
    keep service-log.txt bash -c 'journalctl -u petrel -n 5000 --no-pager 2>/dev/null | grep .'
else
    keep sockets.txt netstat -s
    keep sysctl.txt sysctl kern.maxfiles kern.maxfilesperproc kern.ipc.somaxconn \
        net.inet.ip.portrange.first net.inet.ip.portrange.last
fi
if [ -d "$data" ]; then
    # Names and sizes only: the folder holds messages and keys.
    keep data-directory.txt ls -lR "$data"
fi

if [ "$namespace" != - ]; then
    keep pods.txt kubectl -n "$namespace" get pods -o wide
    keep autoscaling.txt kubectl -n "$namespace" describe hpa
    keep events.txt kubectl -n "$namespace" get events --sort-by=.lastTimestamp
    keep resources.txt kubectl -n "$namespace" top pods --containers
    keep nodes.txt kubectl top nodes
    if command -v kubectl >/dev/null; then
        mkdir -p "$folder/logs"
        for pod in $(limited kubectl -n "$namespace" get pods -o name 2>/dev/null || true); do
            keep "logs/${pod##*/}.txt" kubectl -n "$namespace" logs "$pod" --all-containers --tail=5000
        done
    fi
fi

echo "$folder"
if [ -e "$folder/missing.txt" ]; then
    echo "not to be had:"
    sed 's/^/  /' "$folder/missing.txt"
fi
