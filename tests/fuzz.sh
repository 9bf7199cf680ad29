#!/usr/bin/env bash
# Looks for inputs that a target of crates/petrel-fuzz does not stand, with libFuzzer: each
# target for FUZZ_SECONDS, beginning with its seeds in fuzz/corpus. What is found is kept in
# fuzz/artifacts; `fuzz/target/…/TARGET FILE` tries it again. What is merely new is kept below
# target/ for the next run.
#
# This is what `cargo fuzz run --sanitizer none TARGET` does, which works as well, without the
# tool: it builds with the coverage that the compiler has on stable, and for a named platform,
# so that macros and build scripts, which run without libFuzzer, are built without it. Needs a
# C++ compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
seconds=${FUZZ_SECONDS:-60}
targets=${FUZZ_TARGETS:-$(cd fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')}
host=$(rustc -vV | sed -n 's/^host: //p')

coverage="-Cpasses=sancov-module -Ccodegen-units=1"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="--cfg fuzzing $coverage" "$cargo" build --release --locked \
    --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target "$host"

mkdir -p fuzz/artifacts
for target in $targets; do
    printf '\n--- %s\n' "$target"
    mkdir -p "target/fuzz/corpus/$target"
    # Memory per input is bounded by the target itself; here it is that of the process.
    "target/fuzz/$host/release/$target" "target/fuzz/corpus/$target" "fuzz/corpus/$target" \
        -artifact_prefix="fuzz/artifacts/$target-" -max_total_time="$seconds" \
        -max_len=65536 -timeout=10 -rss_limit_mb=512 -malloc_limit_mb=64 \
        -print_final_stats=1 2>"target/fuzz/$target.log" || {
        tail -n 60 "target/fuzz/$target.log" >&2
        exit 1
    }
    grep -E '^(Done|stat::(number_of_executed|peak_rss))' "target/fuzz/$target.log"
done
