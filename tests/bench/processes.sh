#!/bin/bash
# What it costs to make a process: fork and exit, fork and exec, vfork and exec of a small program, natively and under
# ashlar, for a program that fits.
. "$(dirname "$0")/functions.sh"
for ((i = 0; i < pairs; i++)); do
	"$programs/forker" 50 | sed 's/^/native /'
	"$bin/ashlar" run --excache 256M -- "$programs/forker" 50 | sed 's/^/ashlar /' || die "forker fails"
done | summary \
	"fork and exit, ashlar / native = ashlar fork and exit / native fork and exit" \
	"fork and exec, ashlar / native = ashlar fork and exec / native fork and exec" \
	"vfork and exec, ashlar / native = ashlar vfork and exec / native vfork and exec"
