#!/bin/sh
# Builds faults into the store, the sequencer and the load generator's detectors, one at a
# time, and makes sure that a proof fails with each. A fault that no proof notices, or a proof that fails without any,
# ends this with an error. The faults are in crates/petrel-store/src/mutants.rs
# and crates/wsbench/src/mutants.rs.
#
# PROOFS limits which proofs are tried, as in PROOFS="simulation power". A proof need not
# notice every fault; those that it must notice are in the list below.
set -eu
cd "$(dirname "$0")/.."
CARGO=${CARGO:-cargo}
PROOFS=${PROOFS:-simulation store power presence search call sequencer honesty stand_ins}
LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT

# Debug builds only: a release build with these features is refused by the compiler.
run() { # PROOF FILTER
    case $1 in
    honesty | stand_ins)
        $CARGO test --quiet --locked --package wsbench --features mutants --test it "$1::$2"
        ;;
    simulation)
        PETREL_SIMULATION_STEPS=${PETREL_SIMULATION_STEPS:-100000} \
            $CARGO test --quiet --locked --package petrel-logic --features mutants \
            --test simulation state_fetched
        ;;
    store)
        $CARGO test --quiet --locked --package petrel-store --features mutants --lib sqlite::
        ;;
    presence | search | call | sequencer)
        $CARGO test --quiet --locked --package petrel-logic --features mutants --lib "$1::"
        ;;
    power)
        PETREL_POWER_CUTS=${PETREL_POWER_CUTS:-30} \
            $CARGO test --quiet --locked --package petrel-testkit --package petrel-logic \
            --features petrel-logic/mutants --test power a_power_cut
        ;;
    esac
}

for proof in $PROOFS; do
    echo "without a fault: $proof"
    if ! run "$proof" "" >"$LOGS/log" 2>&1; then
        cat "$LOGS/log"
        echo "$proof fails without any fault; nothing can be said of the faults"
        exit 1
    fi
done

survived=
table=
while read -r mutant notice; do
    # A proof may name the one test of it that must notice: honesty:twice
    filter=$(printf '%s' "$notice" | sed -nE 's/.*(honesty|stand_ins):([a-z_]*).*/\2/p')
    notice=$(printf '%s' "$notice" | sed -E 's/(honesty|stand_ins):[a-z_]*/\1/')
    for proof in $PROOFS; do
        case " $notice " in *" $proof "*) ;; *) continue ;; esac
        if PETREL_MUTANT=$mutant run "$proof" "$filter" >"$LOGS/log" 2>&1; then
            result=SURVIVED
        else
            result=caught
        fi
        reason=
        for words in 'PETREL_SIMULATION_SEED=' 'acked message lost' 'the verification found' \
            'the head of ' 'stored twice' 'was acked again' 'malformed' 'panicked at'; do
            [ -n "$reason" ] || reason=$(grep -h -m 1 -- "$words" "$LOGS/log" | cut -c 1-90 || true)
        done
        table="$table$(printf '%-33s %-11s %-9s %s' "$mutant" "$proof" "$result" "$reason")
"
        echo "$mutant: $proof: $result"
        # Each named proof must notice.
        [ "$result" = caught ] || survived="$survived $mutant/$proof"
    done
done <<'MUTANTS'
ack-before-commit store power
synchronous-off store power
idempotency-not-rebuilt store power
watermark-before-slice store power
head-lowered-at-open store power
fan-out-before-commit simulation
membership-outside-sequencer simulation
reaction-survives-recall simulation
hidden-is-shown simulation
sent-on-unread simulation
block-not-looked-at simulation
contact-told-out-of-order simulation
mention-survives-recall simulation
muted-may-speak simulation
pin-survives-recall simulation
file-survives-recall simulation power
object-forgotten store power
hiding-is-not-told simulation power
hidden-presence-is-seen presence
blocked-presence-is-seen presence
search-shows-unreadable search
search-keeps-old-texts search
audit-not-kept store
disabled-keeps-log-ins store
invitation-outlives-its-group sequencer
invitation-told-after-its-end sequencer
taken-in-unasked simulation
file-shared-unread simulation
picture-outlives-its-use simulation
call-across-a-block call
call-races-a-block call
call-recorded-twice call
answered-call-unread simulation
withdrawn-stays-invited simulation
invitations-unpaced sequencer
expired-invitation-introduces sequencer
application-counts-again sequencer
known-forgotten simulation
bench-misses-loss honesty:one_dropped
bench-misses-acked-loss honesty:acked_and_dropped
bench-misses-duplicates honesty:twice
bench-misses-reordering honesty:changed_places
bench-misses-strangers honesty:what_somebody_else
bench-misses-corruption honesty:one_changed_letter
bench-misses-wrong-answers honesty:an_answer_to_nothing
bench-misses-disconnects honesty:a_reset
bench-times-from-sending honesty:a_stall
bench-cuts-the-tail honesty:one_delayed
bench-times-too-short honesty:five_milliseconds
bench-receipts-name-nobody stand_ins:mini_im_in_order
bench-acknowledges-nothing stand_ins:xzll_in_order
bench-calls-repeats-duplicates stand_ins:mini_im_delivers_again
bench-reads-no-history-over-http stand_ins:ethanqc_with_two_replicas
bench-believes-any-second-copy stand_ins:mini_im_pushes_twice
MUTANTS

printf '\n%-33s %-11s %-9s %s\n%s' fault proof result 'first words' "$table"
if [ -n "$survived" ]; then
    echo "not noticed:$survived"
    exit 1
fi
