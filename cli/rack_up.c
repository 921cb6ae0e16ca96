/*
 * ashlar rack up FILE: what of the rack does not run on this machine is started, and waited for until the gmm lists all
 * of it as up. If a part fails, or somebody ends us, what we started is ended again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "cli/standing.h"

#define LISTED_MS 10000u
#define LISTED_LOOK_MS 50

struct rack_upping {
	struct rack_file file;
	struct standing standing;
	struct standing_part part[STANDING_PARTS_MAX];
	unsigned n, n_alive;
	struct private_rack programs; /* for programs_find */
	struct signals signals;
};

static const char *binary_of(const char *kind)
{
	return strcmp(kind, "processor") == 0 ? "pcomponent"
	       : strcmp(kind, "memory") == 0  ? "mcomponent"
					      : "scomponent";
}

static void parts_plan(struct rack_upping *u)
{
	u->part[u->n++] = (struct standing_part){ .name = "gmm", .binary = "gmm", .ready_fd = -1 };
	for (unsigned i = 0; i < u->file.n_components; i++) {
		const struct rack_component *c = &u->file.component[i];
		struct standing_part *part = &u->part[u->n++];

		*part = (struct standing_part){ .binary = binary_of(c->kind), .component = c, .ready_fd = -1 };
		strcpy(part->name, c->name);
	}
	for (unsigned i = 0; i < u->n; i++) {
		int fd = pid_file_open(&u->standing, u->part[i].name);

		u->part[i].alive = fd >= 0;
		u->n_alive += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
}

static ssize_t file_text(int dir, const char *path, char *text, size_t bytes)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, bytes);

	if (fd >= 0)
		close(fd);
	return n;
}

/* Keep the file as it is now. While parts run, it must be the one that they were started by. */
static int file_keep(struct rack_upping *u, const char *path)
{
	static char now[RACK_FILE_BYTES_MAX], kept[RACK_FILE_BYTES_MAX];
	char name[NAME_BYTES + 8];
	ssize_t n = file_text(AT_FDCWD, path, now, sizeof(now)), n_kept;
	int fd;

	snprintf(name, sizeof(name), "%s.rack", u->standing.name);
	n_kept = file_text(u->standing.fd, name, kept, sizeof(kept));
	if (n < 0)
		return cli_error("cannot read the rack file %s: %s", path, strerror(errno));
	if (n == n_kept && memcmp(now, kept, (size_t)n) == 0)
		return 0;
	if (u->n_alive)
		return cli_error("the rack %s is up, but by another rack file than %s is now; take it down first",
				 u->standing.name, path);
	fd = openat(u->standing.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, now, (size_t)n) != n) {
		cli_error("cannot write %s/%s: %s", u->standing.dir, name, strerror(errno));
		n = -1;
	}
	if (fd >= 0)
		close(fd);
	return n < 0 ? EXIT_ASHLAR : 0;
}

static bool all_listed(struct rack_upping *u, struct rpc *gmm)
{
	struct rack_row rows[RACK_COMPONENTS_MAX];
	struct x2g_status_rep rep;

	if (rack_rows(gmm, rows, RACK_COMPONENTS_MAX, &rep))
		return false;
	for (unsigned i = 1; i < u->n; i++) {
		bool up = false;

		for (uint32_t j = 0; j < rep.rows; j++)
			up |= strncmp(rows[j].name, u->part[i].name, NAME_BYTES) == 0 && rows[j].state == RACK_UP;
		if (!up)
			return false;
	}
	return true;
}

/* Also those that were there before: after a new start of the gmm they come back within about a second. */
static int wait_listed(struct rack_upping *u)
{
	uint64_t deadline = clock_ns() + LISTED_MS * NS_PER_MS;
	struct place place = { 0 };
	int err = place_open(&place, u->file.fabric, u->file.gmm, u->file.node, u->file.key);

	while (!err && !all_listed(u, place.gmm)) {
		struct pollfd fd = { .fd = u->signals.fd, .events = POLLIN };

		poll(&fd, 1, LISTED_LOOK_MS);
		err = signals_ending(&u->signals);
		if (err)
			err += 128;
		else if (clock_ns() >= deadline)
			err = cli_error("not all components of the rack %s are up (ashlar rack status tells which)",
					u->standing.name);
	}
	place_close(&place);
	return err;
}

static void take_back(struct rack_upping *u)
{
	const char *names[STANDING_PARTS_MAX];
	pid_t pids[STANDING_PARTS_MAX];
	unsigned n = 0;

	for (unsigned i = u->n; i-- > 0;)
		if (u->part[i].pid > 0) {
			pids[n] = u->part[i].pid;
			names[n++] = u->part[i].name;
		}
	parts_stop(&u->standing, names, pids, n);
	if (u->n_alive == 0)
		standing_remove(&u->standing);
}

static int start_missing(struct rack_upping *u)
{
	int err = 0;

	printf("rack %s: %u of %u parts are started\n", u->standing.name, u->n - u->n_alive, u->n);
	fflush(stdout);
	for (unsigned i = 0; i < u->n && !err; i++)
		if (!u->part[i].alive)
			err = part_start(&u->standing, &u->file, u->programs.bin, &u->part[i], &u->signals);
	if (!err)
		err = parts_wait(&u->standing, u->part, u->n, &u->signals);
	if (!err)
		err = wait_listed(u);
	if (err) {
		take_back(u);
		return err;
	}
	printf("rack %s is up\n", u->standing.name);
	return 0;
}

static int up_open(struct rack_upping *u, const char *path)
{
	int err;

	parts_plan(u);
	err = file_keep(u, path);
	if (err)
		return err;
	if (u->n_alive == u->n) {
		err = wait_listed(u); /* that they live does not say that they work */
		if (!err)
			printf("rack %s is up already\n", u->standing.name);
		return err;
	}
	return start_missing(u);
}

int rack_up(const char *path)
{
	static struct rack_upping u;
	int err = rack_file_read(path, &u.file);

	if (!err && u.file.n_components == 0)
		err = cli_error("%s only says where a rack is; it has no components to start", path);
	if (!err)
		err = programs_find(&u.programs);
	if (!err)
		err = signals_open(&u.signals);
	if (!err)
		err = standing_open(&u.standing, u.file.name, true);
	if (err)
		return err;
	err = up_open(&u, path);
	standing_close(&u.standing);
	return err;
}
