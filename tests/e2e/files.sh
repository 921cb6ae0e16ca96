#!/bin/bash
# The file calls, in a folder of their own, and by ordinary programs.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
same_as_native 1G "$programs/files"
same_as_native 1M "$programs/files"
[ -z "$(ls)" ] || fail "files left: $(ls)"
mkdir -p tree/a/b
echo one >tree/a/one
seq 1 3000 >tree/a/b/many
ln -s b/many tree/a/link
for command in "ls -laR tree" "find tree -newermt 2000-01-01" "cat tree/a/one tree/a/link" "wc tree/a/b/many" \
	"stat -c %n:%s:%a:%h:%F:%Y tree tree/a/one tree/a/link" "du -s --apparent-size tree" "tail -n 3 tree/a/link" \
	"tac tree/a/b/many" "md5sum tree/a/b/many tree/absent" "cat tree" "rmdir tree" "head -c 10 /etc/passwd" "readlink -f tree/a/link"; do
	# shellcheck disable=SC2086
	same_as_native 4M $command
done
run ashlar run -- cp -rp tree copy
expect_status 0
diff -r tree copy || fail "cp -r"
[ "$(stat -c %Y%a tree/a/one)" = "$(stat -c %Y%a copy/a/one)" ] || fail "cp -p"
run ashlar run -- mv copy moved
expect_status 0
run ashlar run -- rm -r moved
expect_status 0
[ ! -e copy ] && [ ! -e moved ] || fail "mv or rm"
run ashlar run -- tee new <tree/a/b/many
expect_status 0
cmp new tree/a/b/many || fail "tee"
run ashlar run -- dd if=tree/a/b/many of=new bs=1000 seek=3 conv=notrunc,fsync
expect_status 0
dd if=tree/a/b/many of=native bs=1000 seek=3 2>/dev/null
cp tree/a/b/many native2 && dd if=tree/a/b/many of=native2 bs=1000 seek=3 conv=notrunc 2>/dev/null
cmp new native2 || fail "dd"
run ashlar run -- sh -c 'umask 027; echo x >masked; echo y >>masked'
expect_status 0
[ "$(stat -c %a%s masked)" = 6404 ] || fail "umask: $(stat -c %a masked)"
passed
