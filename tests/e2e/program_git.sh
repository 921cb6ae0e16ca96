#!/bin/bash
# git: commits, a branch and its merge, clone, gc and fsck, with processes of git's own: as natively.
# timeout: 300
. "$(dirname "$0")/functions.sh"
requires git
cat >"$tmp/work.sh" <<'END'
set -e
cd "$1"
export HOME=$1 GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE="1700000000 +0000" GIT_COMMITTER_DATE="1700000000 +0000"
git init -q -b main repo
cd repo
for i in $(seq 40); do seq "$i" "$((i * 50))" >"file$i"; done
git add .
git commit -qm one
git checkout -qb side
seq 100 >file3; git commit -qam two
git checkout -q main
seq 200 >file4; git commit -qam three
git merge -q -m merge side
cd ..
git clone -q repo copy
cd copy
git log --format='%h %s' --graph
git -c gc.auto=0 gc -q
git fsck --full --strict
git diff --stat HEAD~1 | tail -n 3
git status --short | wc -l
git grep -c 17 | head -n 3
git archive HEAD | tar -t | wc -l
git stash list | wc -l
END
for excache in 8M 256M; do
	rm -rf "$tmp/d"; mkdir "$tmp/d"
	natively bash "$tmp/work.sh" "$tmp/d"
	rm -rf "$tmp/d"; mkdir "$tmp/d"
	as_natively "$excache" bash "$tmp/work.sh" "$tmp/d"
done
[ "$(stat_of "$tmp/stats" detail.processes)" -gt 20 ] || fail "hardly a process"
passed
