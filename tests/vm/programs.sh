#!/bin/bash
# sort, python3 and sqlite3 on a VM rack with a quarter of their memory local: output as natively, and the pages went
# by RDMA: packets of rxe and bytes of the switch rise with the misses.
# timeout: 900
# only: test-vm
. "$(dirname "$0")/functions.sh"

carried() { # bytes that the switch took from memory nodes
	ashlar vm status --json | "$python" -c 'import json, sys
print(sum(n["bytes_sent"] for n in json.load(sys.stdin)["nodes"] if n["kind"] == "memory"))'
}
packets() { ashlar vm exec p0 cat /sys/class/infiniband/rxe0/ports/1/hw_counters/rcvd_pkts; }

seq 1 150000 | sort -R --random-source=<(yes) >"$tmp/numbers"
vm_up
bytes=$(carried) packets=$(packets)
vm_quarter sort --parallel=1 -S 8M "$tmp/numbers"
vm_quarter "$python" -c 'import random
r = random.Random(1)
a = [r.random() for _ in range(150000)]
a.sort()
print(sum(a))'
pages=$(stat_of "$tmp/stats" excache.misses)
vm_quarter sqlite3 :memory: 'pragma cache_size = -16000;
create table t (k integer primary key, v text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
insert into t select i, hex(i * 7919 % 60000) || printf("%0100d", i) from n;
select count(*), sum(k * length(v)), max(v) from t where v > "1";'
pages=$((pages + $(stat_of "$tmp/stats" excache.misses)))
bytes=$(($(carried) - bytes)) packets=$(($(packets) - packets))
echo "$pages misses of the last two; $bytes bytes from the memory nodes, $packets packets to the processor node"
[ "$bytes" -ge $((4096 * pages)) ] || fail "only $bytes bytes came from memory"
[ "$packets" -ge "$pages" ] || fail "only $packets packets"
vm_down
passed
