#!/bin/bash
# What each fabric costs: see fabric.c. As many pairs as asked for.
. "$(dirname "$0")/functions.sh"
"$bench/fabric" "$pairs" >"$tmp/out" || die "fabric fails"
summary <"$tmp/out"
