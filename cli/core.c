/* ashlar core: a core file of a running program on this machine. The program itself writes it: core_door.h says how. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ashlar/launch.h"
#include "cli/cli.h"

#define COMM_BYTES 64

void core_usage(void)
{
	printf("Usage: ashlar core [-o FILE] PID|NAME\n"
	       "Write a core file of a running program of this machine, for gdb and the like: registers of all threads\n"
	       "and all of the program's memory, also what is remote. The program stands still meanwhile, and goes on.\n"
	       "PID is that of this machine or, where only one process has it, that of a rack; NAME is the program's\n"
	       "name as ps(1) shows it, where only one has it.\n"
	       "\n"
	       "Options:\n"
	       "  -o FILE  where to (default: core.PID)\n"
	       "  --help   print this and exit\n"
	       "\n"
	       "Exit status: 0 when it is written, 1 when pages in it are missing; 125 when there is none.\n");
}

struct found {
	int pid; /* of the host */
	uint32_t rack_pid;
	unsigned n;
};

static bool has_name(int pid, const char *name)
{
	char path[64], comm[COMM_BYTES] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (!(f = fopen(path, "re")))
		return false;
	if (fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = 0;
	fclose(f);
	return strcmp(comm, name) == 0;
}

/* A connection has a line of its own, with the name of the socket that it came in by. */
static void add(struct found *all, const struct found *one)
{
	if (all->n && all->pid == one->pid)
		return;
	all->pid = one->pid;
	all->rack_pid = one->rack_pid;
	all->n++;
}

/* Look through the sockets of this machine for programs that what may mean. 0 or EXIT_ASHLAR. */
static int find(const char *what, struct found *out)
{
	struct found by_host = { 0 }, by_rack = { 0 }, by_name = { 0 };
	bool number = strspn(what, "0123456789") == strlen(what);
	unsigned long value = number ? strtoul(what, NULL, 10) : 0;
	char line[512], *at;
	FILE *f = fopen("/proc/net/unix", "re");

	if (!f)
		return cli_error("/proc/net/unix: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		struct found one = { .n = 1 };

		if (!(at = strchr(line, '@')) || sscanf(at + 1, CORE_DOOR_FORMAT, &one.pid, &one.rack_pid) != 2)
			continue;
		if (number && (unsigned long)one.pid == value)
			by_host = one;
		if (number && one.rack_pid == value)
			add(&by_rack, &one);
		if (!number && has_name(one.pid, what))
			add(&by_name, &one);
	}
	fclose(f);
	*out = !number ? by_name : by_host.n ? by_host : by_rack;
	if (out->n == 0)
		return cli_error("no program of this machine is %s", what);
	return out->n == 1 ? 0 : cli_error("%u programs of this machine are %s: name one by its pid", out->n, what);
}

/* A connection to the process; it must be its own socket. Or -1, after a message. */
static int door_open(const struct found *p)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, CORE_DOOR_FORMAT, p->pid, p->rack_pid);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred who;

	if (fd < 0 || connect(fd, (void *)&sa, len)) {
		cli_error("process %d: %s", p->pid, strerror(errno));
	} else {
		len = sizeof(who);
		if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && who.pid == p->pid)
			return fd;
		cli_error("process %d: its socket is another's", p->pid);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int request(int door, int file, struct core_answer *a)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	char byte = 'c';
	struct iovec v = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(file));
	memcpy(CMSG_DATA(c), &file, sizeof(file));
	if (sendmsg(door, &m, MSG_NOSIGNAL) != 1)
		return -errno;
	if (recv(door, a, sizeof(*a), MSG_WAITALL) != (ssize_t)sizeof(*a) || a->magic != CORE_DOOR_MAGIC)
		return -EPROTO;
	return a->err;
}

static int core(const char *what, const char *to)
{
	struct core_answer a = { 0 };
	char name[32];
	struct found p = { 0 };
	int door, file, err;
	bool made;

	if ((err = find(what, &p)))
		return err;
	snprintf(name, sizeof(name), "core.%d", p.pid);
	if (!to)
		to = name;
	if ((door = door_open(&p)) < 0)
		return EXIT_ASHLAR;
	file = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	made = file >= 0;
	if (!made && errno == EEXIST)
		file = open(to, O_RDWR | O_TRUNC | O_CLOEXEC);
	err = file < 0 ? -errno : request(door, file, &a);
	if (err)
		cli_error("%s: %s", to,
			  err == -ETIMEDOUT ? "a thread of the program does not stand still" : strerror(-err));
	if (err && made)
		unlink(to);
	if (file >= 0)
		close(file);
	close(door);
	if (err)
		return EXIT_ASHLAR;
	printf("%s: %llu bytes, %llu pages\n", to, (unsigned long long)a.bytes, (unsigned long long)a.pages);
	if (a.lost)
		cli_error("%llu pages could not be had: zeros in their place", (unsigned long long)a.lost);
	return a.lost ? 1 : 0;
}

int cmd_core(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	const char *to = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'h') {
			core_usage();
			return 0;
		}
		if (c != 'o')
			return EXIT_ASHLAR;
		to = optarg;
	}
	if (optind + 1 != argc)
		return cli_error("core takes one PID or NAME (try ashlar core --help)");
	return core(argv[optind], to);
}
