#!/bin/sh
# Rule: cppcheck finds no error, no doubtful and no unportable construct. Exceptions stand beside the code, with a
# reason: /* cppcheck-suppress ID ; why */
cd "$(dirname "$0")/../.." || exit 1
files=$(scripts/files.sh c | grep -vE '^tests/programs/')
[ -n "$files" ] || exit 0
# comparePointers: it takes marks of the linker for objects. AssignmentInteger...: it does not know function types, and
# the compilers refuse the real thing.
# shellcheck disable=SC2086 # our file names have no blanks
cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 -j2 --enable=warning,portability --inline-suppr \
	--max-configs=1 -D_GNU_SOURCE -D__x86_64__ -D__GNUC__=12 -D__linux__ -Iinclude -I. \
	--suppress=missingIncludeSystem --suppress=unknownMacro --suppress=comparePointers --suppress=AssignmentIntegerToAddress \
	--template='{file}:{line}: {severity}: {message} [{id}]' $files
