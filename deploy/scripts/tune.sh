#!/usr/bin/env bash
# Raises what a system allows a program with very many connections.
#
# Nothing is changed unless --apply is given, nothing is ever lowered, and no file of the
# system is edited: what lasts is in files of its own, which --undo takes away again.
# Works with the bash 3.2 of macOS.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: tune.sh (server | bench-client) [--apply | --undo] [--root DIR]

Shows what would be raised for a server, or for a machine that runs wsbench, and why.

  --apply     raise it now, and for every start to come (needs root)
  --undo      take that back: remove the files, restore what was there before (needs root)
  --root DIR  write the files below DIR, and leave the running system alone
  --help      this text

Exit codes: 0 all is as it should be or was made so, 1 an error, 2 wrong usage,
3 something is to be raised (without --apply).
USAGE
}

fail() {
    echo "tune.sh: $1" >&2
    exit "${2:-1}"
}

profile=""
action=show
root=""
while [ $# -gt 0 ]; do
    case "$1" in
        server | bench-client) profile="$1" ;;
        --apply) action=apply ;;
        --undo) action=undo ;;
        --root)
            [ $# -ge 2 ] || fail "--root needs a directory" 2
            root="$2"
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "unknown argument $1; see --help" 2 ;;
    esac
    shift
done
[ -n "$profile" ] || fail "say for what: server or bench-client; see --help" 2

system="$(uname -s)"
case "$system" in
    Linux)
        sysctl_file="$root/etc/sysctl.d/60-petrel-$profile.conf"
        limits_file="$root/etc/security/limits.d/60-petrel-$profile.conf"
        ;;
    Darwin)
        sysctl_file="$root/Library/LaunchDaemons/im.petrel.$profile.sysctl.plist"
        limits_file="$root/Library/LaunchDaemons/im.petrel.$profile.maxfiles.plist"
        ;;
    *) fail "$system is not known here; on Windows run it inside WSL2" ;;
esac

# What is wanted, a line each: name, value, reason. A range is two numbers.
wanted() {
    if [ "$system" = Darwin ]; then
        cat <<'LIST'
kern.maxfiles|2097152|files and sockets of the whole system
kern.maxfilesperproc|1048576|files and sockets of one process
kern.ipc.somaxconn|4096|connections that wait to be accepted
LIST
        [ "$profile" = server ] || cat <<'LIST'
net.inet.ip.portrange.first|16384|local ports for outgoing connections, from
LIST
        return
    fi
    cat <<'LIST'
fs.file-max|2097152|files and sockets of the whole system
fs.nr_open|1048576|the most that a process may be allowed
net.netfilter.nf_conntrack_max|1048576|connections that the firewall remembers
LIST
    if [ "$profile" = server ]; then
        cat <<'LIST'
net.core.somaxconn|65535|connections that wait to be accepted
net.ipv4.tcp_max_syn_backlog|65535|connections that are being opened
net.core.netdev_max_backlog|16384|packets that wait for the kernel
LIST
    else
        cat <<'LIST'
net.ipv4.ip_local_port_range|1024 65535|local ports for outgoing connections
net.ipv4.tcp_tw_reuse|1|ports of connections that have just been closed
LIST
    fi
}

open_files=1048576

current() {
    sysctl -n "$1" 2>/dev/null | tr -s '\t ' ' '
}

# Whether $2, a number or a range, is less than $3 for the setting $1.
is_less() {
    local had="${2%% *}" want="${3%% *}"
    case "$1" in
        # The first port: the lower, the more there are; and the range must reach as far.
        net.ipv4.ip_local_port_range) [ "$had" -gt "$want" ] || [ "${2##* }" -lt "${3##* }" ] ;;
        net.inet.ip.portrange.first) [ "$had" -gt "$want" ] ;;
        # 2 is the kernel's own default: for loopback only.
        net.ipv4.tcp_tw_reuse) [ "$had" -ne "$want" ] ;;
        # Longer numbers than the shell can count are more than enough.
        *) [ "${#had}" -lt 18 ] && [ "$had" -lt "$want" ] ;;
    esac
}

# The settings that are too small, as wanted() has them, with the present value in front.
too_small() {
    wanted | while IFS='|' read -r name value reason; do
        had="$(current "$name")"
        # What the system does not have, or keeps from a container, can't be raised.
        [ -n "$had" ] || continue
        if is_less "$name" "$had" "$value"; then
            echo "$had|$name|$value|$reason"
        fi
    done
}

show() {
    local found=0 had name value reason
    while IFS='|' read -r had name value reason; do
        [ -n "$name" ] || continue
        found=1
        printf '  %-34s %14s -> %-12s %s\n' "$name" "$had" "$value" "$reason"
    done <<LIST
$(too_small)
LIST
    local files
    files="$(ulimit -Hn)"
    if [ "$files" != unlimited ] && [ "$files" -lt "$open_files" ]; then
        found=1
        printf '  %-34s %14s -> %-12s %s\n' "open files of a login (ulimit -Hn)" "$files" \
            "$open_files" "a connection is a file"
    fi
    if grep -qi microsoft /proc/version 2>/dev/null; then
        cat <<'WSL'
  This is WSL2. Give it memory and processors in %USERPROFILE%\.wslconfig on the Windows side:
      [wsl2]
      memory=16GB
      processors=8
      swap=8GB
  and restart it with: wsl --shutdown
WSL
    fi
    return "$found"
}

plist() {
    local label="$1" argument
    shift
    cat <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key><string>$label</string>
    <key>ProgramArguments</key>
    <array>
PLIST
    for argument in "$@"; do
        echo "        <string>$argument</string>"
    done
    cat <<'PLIST'
    </array>
    <key>RunAtLoad</key><true/>
</dict>
</plist>
PLIST
}

# Previous values are kept as comments, so that --undo can restore them.
write_sysctls() {
    local list="$1" had name value reason
    if [ "$system" = Darwin ]; then
        set --
        while IFS='|' read -r had name value reason; do set -- "$@" "$name=$value"; done <<LIST
$list
LIST
        plist "im.petrel.$profile.sysctl" /usr/sbin/sysctl "$@"
    else
        echo "# Made by tune.sh $profile; \`tune.sh $profile --undo\` removes it."
    fi
    while IFS='|' read -r had name value reason; do
        if [ "$system" = Darwin ]; then
            echo "<!-- was: $name=$had -->"
        else
            echo "# was: $name=$had"
            echo "$name = $value"
        fi
    done <<LIST
$list
LIST
}

# sysctl(8) does not always say so with its exit code when the kernel refuses.
set_now() {
    sysctl -w "$1=$2" >/dev/null 2>&1 || true
    if [ "$(current "$1")" = "$2" ]; then
        echo "set $1 to $2"
    else
        echo "tune.sh: the system refuses $1 = $2; in a container its host decides" >&2
    fi
}

apply() {
    local list had name value reason
    list="$(too_small)"
    mkdir -p "$(dirname "$sysctl_file")" "$(dirname "$limits_file")"
    # What an earlier run has written stays: it knows the values from before.
    if [ -n "$list" ] && [ ! -e "$sysctl_file" ]; then
        write_sysctls "$list" >"$sysctl_file"
        echo "wrote $sysctl_file"
    fi
    if [ ! -e "$limits_file" ]; then
        if [ "$system" = Darwin ]; then
            plist "im.petrel.$profile.maxfiles" launchctl limit maxfiles "$open_files" "$open_files" >"$limits_file"
        else
            cat >"$limits_file" <<LIMITS
# Made by tune.sh $profile; \`tune.sh $profile --undo\` removes it. For logins; a service has
# LimitNOFILE in its unit.
*    soft nofile $open_files
*    hard nofile $open_files
root soft nofile $open_files
root hard nofile $open_files
LIMITS
        fi
        echo "wrote $limits_file"
    fi
    [ -z "$root" ] || return 0
    while IFS='|' read -r had name value reason; do
        [ -n "$name" ] || continue
        set_now "$name" "$value"
    done <<LIST
$list
LIST
    if [ "$system" = Darwin ]; then
        launchctl limit maxfiles "$open_files" "$open_files"
    fi
    echo "Log in again for the limit of open files; \`ulimit -n\` then shows $open_files."
}

undo() {
    local name value file
    if [ -z "$root" ] && [ -e "$sysctl_file" ]; then
        sed -n 's/^\(# \|<!-- \)was: \([^ ]*=[0-9 ]*[0-9]\).*$/\2/p' "$sysctl_file" |
            while IFS='=' read -r name value; do
                set_now "$name" "$value"
            done
    fi
    for file in "$sysctl_file" "$limits_file"; do
        if [ -e "$file" ]; then
            rm "$file"
            echo "removed $file"
        fi
    done
}

if [ "$action" != show ] && [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    fail "--$action needs root: sudo $0 $profile --$action"
fi
case "$action" in
    show)
        echo "To be raised on this machine, for a $profile:"
        if show; then
            echo "  nothing"
        else
            echo "Nothing was changed. To do it: sudo $0 $profile --apply"
            exit 3
        fi
        ;;
    apply) apply ;;
    undo) undo ;;
esac
