#!/bin/bash
# Scripts run by their interpreter, as execve(2) does it; shell, perl, python and awk.
. "$(dirname "$0")/functions.sh"
cat >script.sh <<'END'
#!/bin/sh -e
echo "$0 with $# arguments: $*"
exit 5
END
cat >script.pl <<'END'
#! /usr/bin/perl -w
print "$0: @ARGV\n";
END
cat >script.awk <<'END'
#!/usr/bin/awk -f
BEGIN { print "awk", ARGC, ARGV[1] }
END
cat >script.py <<END
#!$python
import sys
print(sys.argv, sys.flags.dev_mode)
END
chmod +x script.*
for s in sh pl awk py; do
	same_as_native 4M "./script.$s" one "two words"
	same_as_native 1G "$PWD/script.$s"
done
PATH=$PWD:$PATH
same_as_native 1G script.sh from PATH
passed
