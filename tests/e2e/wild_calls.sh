#!/bin/bash
# Random system calls with random arguments, 30 s of them (600 in `make soak`): monitors and node daemon live on, the next
# program runs, nothing is left. As an ordinary user: what root may do to its machine is no matter of ours.
# timeout: 200, soak 900
. "$(dirname "$0")/functions.sh"
seconds=30
[ -z "${ASHLAR_SOAK:-}" ] || seconds=600
seed=$RANDOM$RANDOM
echo "seed $seed"
as=()
if [ "$(id -u)" -eq 0 ]; then
	requires setpriv
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
requires gcc
mkdir "$tmp/root" "$tmp/root/wild"
gcc -static -O1 -D_GNU_SOURCE -o "$tmp/root/wildcalls" "$top/tests/programs/wildcalls.c" || fail "gcc"
chmod a+rwx "$tmp/root/wild"
chmod a+rx "$tmp" "$tmp/root"
rack_start 256M 2 "$tmp/root"
cd /
run env ASHLAR_TEST_MARK="$mark" "${as[@]}" "$bin/ashlar" run --rack "$rack" --excache 8M -- \
	/wildcalls "$seed" "$seconds"
cat "$tmp/out"
expect_status 0
grep -q '^processes [1-9]' "$tmp/out" || fail "no processes: $(cat "$tmp/err")"
for p in "$gmm" "$daemon" "$storage" "${memory[@]}"; do
	ended "$p" && fail "a monitor has ended"
done
run env ASHLAR_TEST_MARK="$mark" "${as[@]}" "$bin/ashlar" run --rack "$rack" -- /wildcalls 1 1
expect_status 0
expect_freed "wild calls"
passed
