#!/bin/bash
# Runs every fuzzer for a while, from a seed of the day or from a given one.
#   tests/fuzz/run.sh FOLDER SECONDS [SEED]
set -eu
cd "$(dirname "$0")/../.."
seed=${3:-$((RANDOM * 32768 + RANDOM))}
# as in tests/run.sh: the sanitizers of Debian 12 lose their way where addresses are more random
fixed=()
! setarch -R true 2>/dev/null || fixed=(setarch -R)
for f in tests/fuzz/*.c; do
	n=$(basename "$f" .c)
	[ "$n" != record ] || continue
	echo "fuzz/$n"
	"${fixed[@]}" "$1/$n" "$2" "$seed"
done
