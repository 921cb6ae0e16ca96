#!/bin/sh
# Rule: every .c and .h is as clang-format writes it (`make format` does so).
cd "$(dirname "$0")/../.." || exit 1
files=$(scripts/files.sh c h)
[ -n "$files" ] || exit 0
# shellcheck disable=SC2086 # our file names have no blanks
clang-format --dry-run -Werror $files
