#!/bin/bash
# A survey of ordinary Debian programs, those that are installed: each natively and on the rack with 2 MB local. A table
# says same, needs fork, unsupported call NAME, or differs; only the last is a failure here, as nothing explains it.
# timeout: 300
. "$(dirname "$0")/functions.sh"

"$python" - <<'END'
import json, random
random.seed(3)
with open("lines", "w") as f:
    f.writelines("%d line %d %s\n" % (i, i * 7919 % 10007, "x" * (i % 50)) for i in range(60000))
with open("short", "w") as f:
    f.writelines("%d\t%d\n" % (i % 97, i * i % 1009) for i in range(5000))
json.dump([{"id": i, "v": [i, str(i)]} for i in range(3000)], open("data.json", "w"))
END
sort short >sorted
gzip -kf lines
mkdir -p tree/a tree/b
cp short tree/a
cp short tree/b/other

# What the call table refuses, but for two that C libraries try and do without
refused=$(sed -n 's/^| [0-9]* | \([a-z0-9_]*\) | none .*/\1/p' "$top/docs/syscalls.md" | grep -vxE 'rseq|clone3')
count_same=0
count_all=0
unexplained=

verdict_of_difference() {
	if grep -qE '(^| )(fork|vfork|execve|clone)' <<<"$1" || grep -qa 'ashlar: .*fork' "$tmp/rack.err"; then
		echo "needs fork"
	elif grep -qa 'No such device' "$tmp/rack.err"; then
		echo "unsupported call mmap (shared, writable, of a file)"
	elif [ -n "$1" ]; then
		echo "unsupported call $1"
	else
		echo "differs"
	fi
}

calls_refused() {
	"$python" -c 'import json, sys
calls = json.load(open(sys.argv[1]))["syscalls"]
print(" ".join(c for c in sys.argv[2].split() if c in calls))' "$tmp/stats" "$refused"
}

patience=30 # seconds for each program
[ "$fabric" = local ] || patience=$((8 * patience))
look() { # program arguments..
	local native=0 rack=0 verdict=same none=
	command -v "$1" >/dev/null 2>&1 || return 0
	{ timeout -s KILL 20 "$@" <"$input" >"$tmp/native.out" 2>"$tmp/native.err" || native=$?; } 2>/dev/null
	: >"$tmp/stats"
	{ ASHLAR_TEST_MARK=$mark timeout -s KILL $patience "$bin/ashlar" run --excache 2M --stats "$tmp/stats" -- "$@" \
		<"$input" >"$tmp/rack.out" 2>"$tmp/rack.err" || rack=$?; } 2>/dev/null
	none=$(calls_refused 2>/dev/null)
	[ $native -eq $rack ] && cmp -s "$tmp/native.out" "$tmp/rack.out" && cmp -s "$tmp/native.err" "$tmp/rack.err" ||
		verdict=$(verdict_of_difference "$none")
	printf '%-52.52s %4d %8s  %s\n' "$*" "$rack" "$(stat_of "$tmp/stats" excache.misses 2>/dev/null)" "$verdict"
	count_all=$((count_all + 1))
	case $verdict in
	same) count_same=$((count_same + 1)) ;;
	differs)
		unexplained="$unexplained ${1##*/}"
		echo "natively exit status $native"
		diff -a "$tmp/native.out" "$tmp/rack.out" | head -n 6 | cut -c 1-200
		diff -a "$tmp/native.err" "$tmp/rack.err" | head -n 6 | cut -c 1-200
		;;
	esac
}

printf '%-52s %4s %8s  %s\n' PROGRAM EXIT MISSES RESULT
look cat lines short
look tac lines
look sort -n short
look sort --parallel=4 -k2 lines
look uniq -c sorted
look cut -c 1-20 lines
look paste short sorted
look join sorted sorted
look tr -d a-f
look wc lines
look head -c 100000 lines
look tail -n 50000 lines
look split --filter='wc -c' lines
look split -b 100000 lines part.
look od -An -tx1 short
look md5sum lines short
look sha512sum lines
look cksum lines
look base64 lines
look factor 1234567890123456789 600851475143
look seq 100000
look shuf --random-source=lines lines
look numfmt --to=iec 1234567 89
look expr 3 + 4
look date -d @0 -u
look env -i A=1 true
look ls -l --time-style=+ tree
look find tree -type f -newermt 1990-01-01 -printf '%p %s\n'
look du -b tree
look cp -r tree copy
look diff -r tree/a tree/b
look cmp lines short
look comm sorted sorted
look grep -c -E 'x{30,40}$' lines
look sed -n 's/line \(.*\) x/\1/p' lines
look gawk '{ n[$2]++ } END { for (k in n) s += n[k]; print s }' lines
look mawk '{ n[$3]++ } END { for (k in n) s += n[k]; print s }' lines
look perl -ne '$h{length $_} .= substr($_, 0, 3); END { print scalar(keys %h), "\n" }' lines
look "$python" -c 'import hashlib, zlib; d = open("lines", "rb").read(); print(hashlib.sha1(zlib.compress(d)).hexdigest())'
look "$python" -c 'import threading; r = []; t = [threading.Thread(target=lambda i=i: r.append(sum(range(i * 1000)))) for i in range(50)]; [x.start() for x in t]; [x.join() for x in t]; print(sum(r))'
look "$python" -c 'import subprocess; print(subprocess.run(["true"]).returncode)'
look gzip -c lines
look gzip -dc lines.gz
look bzip2 -c lines
look xz -c -0 lines
look xz -T2 -c -0 lines
look zstd -q -c -T2 lines
look lz4 -q -c lines
look brotli -c -q 3 lines
look pigz -nc lines
look tar cf - --mtime=@0 tree
look tar tzf lines.gz
look cpio -t
look bc -q short
look dc -e '2 1000 ^ p'
look jq -c '.[] | select(.id % 100 == 0) | .v' data.json
look sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i+1 from n where i<20000) select sum(i*i) from n'
look openssl dgst -sha256 lines
look openssl speed -seconds 0 -bytes 16 sha256
look gpg --version
look file lines data.json
look strings -n 8 /bin/ls
look readelf -h /bin/ls
look objdump -d --no-show-raw-insn /bin/true
look nm -D /bin/ls
look as --version
look ld --version
look m4 -P short
look bash -c 'for ((i = 0; i < 3000; i++)); do a[i]=$i; done; echo ${#a[@]}'
look bash -c 'ls | wc -l'
look dash -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i'
look git --version
look git hash-object lines
look make --version
look gcc -fsyntax-only -x c /dev/null
look ps -o comm= -p 1
look free --help
look getconf PAGESIZE
look locale -a
look iconv -f latin1 -t utf8 lines
look curl --version
look busybox sort -n short
look shfmt -version
look rg -c x lines
look sd x y lines
look node -e 'let m = {}; for (let i = 0; i < 20000; i++) m["k" + i] = [i]; console.log(Object.keys(m).length)'
echo "$count_same of $count_all as natively"
[ "$count_all" -ge 25 ] || fail "hardly a survey"
[ -z "$unexplained" ] || fail "not as natively, and nothing explains it:$unexplained"
passed
