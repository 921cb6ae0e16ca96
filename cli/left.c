/*
 * What a program leaves running when it has ended: on Linux a background process of a script lives on, and so it does on a
 * private rack, which stands as long. We are its reaper: whatever loses its parent becomes our child. The rack's own
 * components are our children as well, and are left to cli/private_rack.c.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/rpc.h"
#include "cli/left.h"

#define KILL_MS 5000u /* killed processes that are not gone by then are left to the kernel */

void left_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static bool is_part(const struct private_rack *r, pid_t pid)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->part[i].pid == pid)
			return true;
	return false;
}

void left_say(const struct member_row *rows, uint32_t n, uint32_t total)
{
	char names[LEFT_NAMED_MAX * (NAME_BYTES + 16)] = "", more[32] = "";
	size_t at = 0;

	n = n < LEFT_NAMED_MAX ? n : LEFT_NAMED_MAX;
	for (uint32_t i = 0; i < n; i++) {
		char name[NAME_BYTES];

		memcpy(name, rows[i].program, sizeof(name));
		name[sizeof(name) - 1] = 0;
		for (char *c = name; *c; c++)
			if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
				*c = '?';
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s (%d)", i ? ", " : "", name,
				       (int)rows[i].host_pid);
	}
	if (total > n)
		snprintf(more, sizeof(more), " and %u more", total - n);
	cli_error("the program has ended, and left running: %s%s; Ctrl-C ends them", names, more);
}

struct left {
	uint32_t n, named;
	struct member_row rows[LEFT_NAMED_MAX];
};

static void name_add(struct left *l, pid_t pid)
{
	struct member_row *row = &l->rows[l->named++];
	char path[64];
	FILE *f;

	row->host_pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f && fgets(row->program, sizeof(row->program), f))
		row->program[strcspn(row->program, "\n")] = 0;
	if (f)
		fclose(f);
}

/* Our children but for the program and the rack's: waited for where they have ended, else counted, named, killed. */
static void left_look(const struct private_rack *r, pid_t program, struct left *l, bool name, bool end)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	char path[300];
	int pid;

	memset(l, 0, sizeof(*l));
	while (tasks && (task = readdir(tasks))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/children", task->d_name);
		f = task->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fscanf(f, "%d", &pid) == 1) {
			if (pid == program || is_part(r, pid) || waitpid(pid, NULL, WNOHANG) == pid)
				continue;
			l->n++;
			if (name && l->named < LEFT_NAMED_MAX)
				name_add(l, pid);
			if (end)
				kill(pid, SIGKILL);
		}
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
}

void left_reap(const struct private_rack *r, pid_t program)
{
	struct left l;

	left_look(r, program, &l, false, false);
}

/* True: they are to be ended. */
static bool asked_to_end(struct signals *s)
{
	struct signal_seen seen;

	while (signals_take(s, &seen)) {
		if (signal_ends(seen.number))
			return true;
		if (seen.number == SIGTSTP || seen.number == SIGTTIN || seen.number == SIGTTOU)
			signals_stop_like(seen.number);
	}
	return false;
}

void left_wait(const struct private_rack *r, struct signals *s, const struct place *place)
{
	uint64_t begin = clock_ns(), killed = 0;
	bool said = false;
	struct left l;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = s->fd, .events = POLLIN },
			{ .fd = net_conn_fd(rpc_conn(place->daemon)), .events = POLLRDHUP },
		};
		uint64_t now = clock_ns();

		left_look(r, 0, &l, false, killed);
		if (!l.n || (killed && now - killed > KILL_MS * NS_PER_MS))
			return;
		if (!said && !killed && now - begin >= LEFT_SAY_MS * NS_PER_MS) {
			left_look(r, 0, &l, true, false);
			if (l.n)
				left_say(l.rows, l.named, l.n);
			said = true;
		}
		poll(fds, killed ? 1 : 2, killed ? 20 : said ? -1 : (int)(LEFT_SAY_MS - (now - begin) / NS_PER_MS));
		/* Without its node daemon no process of the rack's goes on. */
		if ((asked_to_end(s) || (!killed && fds[1].revents)) && !killed)
			killed = clock_ns();
	}
}
