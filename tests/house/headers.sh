#!/bin/sh
# Rule: every header compiles alone, with gcc and with clang, and may be included twice.
cd "$(dirname "$0")/../.." || exit 1

# The flags are the Makefile's.
flags=$(make -s print-cflags) || exit 1
bad=0
n=0
for h in $(scripts/files.sh h); do
	n=$((n + 1))
	case $h in tests/*) extra="-Wno-unused-parameter -Wno-unused-function" ;; *) extra= ;; esac
	for cc in gcc clang; do
		# shellcheck disable=SC2086 # flags are words
		printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
			"$cc" $flags $extra -fsyntax-only -x c - || { echo "$h:1: does not compile alone with $cc"; bad=1; }
	done
done
echo "$n headers"
exit "$bad"
