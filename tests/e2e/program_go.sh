#!/bin/bash
# Debian's Go programs, a quarter of their footprint local: a static one and one with C's start-up, both with the
# collector and the scheduler of Go, whose threads interrupt each other by signals.
# timeout: 200
. "$(dirname "$0")/functions.sh"
requires shfmt gron
"$python" - <<'END'
import json, random
random.seed(1)
with open("data.json", "w") as f:
    json.dump([{"id": i, "name": "n%d" % i, "v": [random.random() for _ in range(5)], "sub": {"a": str(i), "b": None}}
               for i in range(20000)], f)
with open("long.sh", "w") as f:
    for i in range(6000):
        f.write("f%d() {\nif [ $1 = %d ]; then\necho \"a $b\" | sort | uniq -c\nfi\n}\n" % (i, i))
END
export GOMAXPROCS=4
squeeze shfmt long.sh
GODEBUG=gcstoptheworld=1 GOGC=20 same_as_native 4M shfmt long.sh
squeeze gron data.json
same_as_native 1G gron data.json
echo 'if then' >bad.sh
same_as_native 4M shfmt bad.sh
passed
