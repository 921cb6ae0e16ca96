#!/bin/bash
# also: ofi
# Programs of root's that become ordinary users: from then on they reach the files of those.
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" = 0 ] || skip "only root can become another user"
requires setpriv
chmod 755 "$tmp" "$tmp/work"
mkdir -m 777 open
echo secret >secret
chmod 600 secret
cat >become.py <<'END'
import os, threading
def try_it(where):
    try:
        print(where, open("secret").read())
    except OSError as e:
        print(where, e.strerror)
    with open("open/" + where, "w") as f:
        print(where, os.fstat(f.fileno()).st_uid, os.fstat(f.fileno()).st_gid)
    os.unlink("open/" + where)
kept = open("secret", "r+")
threads = [threading.Thread(target=lambda: go.wait()) for _ in range(4)]
go = threading.Event()
for t in threads:
    t.start()
try_it("root")
os.setgroups([4713])
os.setresgid(4712, 4712, 4712)
os.setresuid(4711, 4711, 4711)
try_it("user")
t = threading.Thread(target=try_it, args=("thread",))
t.start()
t.join()
go.set()
print(kept.read())
kept.write("more")
kept.flush()
pid = os.fork()
if not pid:
    try_it("child")
    os._exit(0)
os.waitpid(pid, 0)
os.system("cat secret; id -u; id -G; touch open/x; stat -c '%u %g' open/x; rm open/x")
END
"$python" become.py >native 2>&1
echo secret >secret
run ashlar run --excache 8M -- "$python" become.py
expect_status 0
cat "$tmp/err" >>"$tmp/out" # cat's refusal
sort native >a
sort "$tmp/out" >b
diff a b || fail "not as natively"
[ "$(cat secret)" = "secret
more" ] || fail "the open file: $(cat secret)"
run ashlar run -- setpriv --reuid 4711 --regid 4712 --clear-groups -- sh -c 'touch open/y; cat secret'
expect_status 1
[ "$(stat -c %u:%g open/y)" = 4711:4712 ] || fail "$(ls -ln open)"
# Set-user-ID files run, without the rights of their owner
cp /usr/bin/id open/id && chmod 6755 open/id
run ashlar run -- setpriv --reuid 4711 --regid 4712 --clear-groups -- open/id
expect_status 0
grep -q '^uid=4711[^ ]* gid=4712[^ ]* groups=4712[^ ]*$' "$tmp/out" || fail "a set-user-ID file: $(cat "$tmp/out")"
# A component that comes back hears at once whom it serves
rack_noise=yes
rack_start 64M 2
mkfifo "$tmp/go"
exec 8<>"$tmp/go"
input=$tmp/go
start run --rack "$rack" -- "$python" -c '
import os, sys
os.setresgid(4712, 4712, 4712)
os.setresuid(4711, 4711, 4711)
print("ready", flush=True)
sys.stdin.readline()
try:
    open("secret")
except OSError as e:
    print(e.strerror)
print(os.stat("open/y").st_uid)
open("open/z", "w").close()'
wait_for 20 has_line "$tmp/out" '^ready' || fail "the program does not start: $(cat "$tmp/err")"
kill -KILL "$storage"
wait_for 2 ended "$storage"
rack_storage
echo >&8
wait_status "$command" 30
expect_status 0
[ "$(cat "$tmp/out")" = "$(printf 'ready\nPermission denied\n4711')" ] || fail "after the restart: $(cat "$tmp/out" "$tmp/err")"
[ "$(stat -c %u:%g open/z)" = 4711:4712 ] || fail "$(ls -ln open)"
passed
