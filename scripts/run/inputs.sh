#!/bin/bash
# inputs.sh BYTES FILE: makes FILE, BYTES of lines, out of what a Debian system has installed anyway: its text files,
# and, where these do not suffice, the strings in its libraries and programs. The same system gives the same bytes.
set -u
export LC_ALL=C
bytes=$1
file=$2

texts() {
	find /usr/share /usr/include /usr/lib/python3* /etc -type f -size -2M -readable -print0 2>/dev/null | sort -z |
		xargs -0 grep -lIZ '' 2>/dev/null | xargs -0 cat 2>/dev/null
}

binaries() {
	find -L /usr/lib/x86_64-linux-gnu /usr/bin /usr/sbin /usr/lib -maxdepth 2 -type f -size +64k -readable -print0 \
		2>/dev/null | sort -zu
}

missing() { echo $((bytes - $(stat -c %s "$file"))); }

# add COMMAND..: as much of its output as is missing
add() {
	[ "$(missing)" -gt 0 ] || return 0
	"$@" 2>/dev/null | head -c "$(missing)" >>"$file"
}

words() { binaries | xargs -0 -n 64 strings -n "$1"; }
numbers() { binaries | xargs -0 -n 1 od -An -v -tx1 -w24; }

# Longer strings first: they are words; where nothing else is left, the bytes themselves, in hexadecimal.
: >"$file"
add texts
for least in 12 6 4; do
	add words "$least"
done
add numbers
[ "$(stat -c %s "$file")" -eq "$bytes" ] || {
	echo "inputs.sh: only $(stat -c %s "$file") of $bytes bytes came together" >&2
	exit 1
}
