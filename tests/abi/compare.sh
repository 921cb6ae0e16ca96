#!/bin/bash
# Runs one program of this folder: natively, then on a private rack with a tiny and with an ample ExCache. Which one, and
# on which fabric, tests/run.sh says by ASHLAR_TEST (abi/NAME); what the head of NAME.c may hold is written there too.
. "$(dirname "$0")/../e2e/functions.sh"
name=${ASHLAR_TEST##*/}
source=$top/tests/abi/$name.c
program=$build/tests/abi/$name
[ -f "$source" ] || fail "there is no $source"
[ -x "$program" ] || fail "there is no $program: make tests"

head_says() { sed -n "1,10s,^// $1:[[:space:]]*,,p" "$source"; }
read -ra args <<<"$(head_says args)"
expected=$(head_says status)
tiny=$(head_says excache)

natively "$program" "${args[@]}"
[ "$native_status" -ne 77 ] || skip "$(tail -n 1 "$tmp/native.out")"
# What both run alike may still be wrong: a program knows what the kernel owes it
[ "$native_status" -eq "${expected:-0}" ] || {
	show "$tmp/native.out" "$tmp/native.err"
	fail "natively $name ends with $native_status, not ${expected:-0}"
}
as_natively "${tiny:-1M}" "$program" "${args[@]}"
as_natively 256M "$program" "${args[@]}"
passed
