#!/bin/bash
# /proc/self tells the program about itself, not about the dispatcher.
. "$(dirname "$0")/functions.sh"
same_as_native 1G "$programs/self" "$programs/self"
same_as_native 1M "$programs/self" "$programs/self"
same_as_native 2M readlink /proc/self/exe
same_as_native 2M cat /proc/self/cmdline
same_as_native 2M cat /proc/self/comm
same_as_native 2M ls -1 /proc/self/fd
same_as_native 2M grep -E '^(Name|Threads|SigBlk|SigIgn|SigCgt|Uid|NoNewPrivs|Seccomp):' /proc/self/status
run ashlar run -- cat /proc/self/maps
expect_status 0
grep -q '/cat$' "$tmp/out" || fail "maps has no program: $(cat "$tmp/out")"
! grep -qE 'dispatcher|ashlar|^7[0-9a-f]{11}-.* [rw-]+xp' "$tmp/out" || fail "maps shows the dispatcher: $(cat "$tmp/out")"
passed
