/* The folder of a VM rack, and what runs of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "vm/host/host.h"

static int folder_name(const char *name, char *folder)
{
	if (!rack_name_fits(name) || snprintf(folder, NAME_BYTES, "vm-%s", name) >= (int)NAME_BYTES)
		return cli_error("bad name of a VM rack: %s (letters, digits, . _ -, at most %u)", name,
				 NAME_BYTES - 4);
	return 0;
}

int rack_lock(const char *name, bool create, struct standing *s)
{
	char folder[NAME_BYTES];
	int err = folder_name(name, folder);

	if (!err)
		err = standing_open(s, folder, create);
	if (!err && fchmod(s->fd, 0700))
		err = cli_error("cannot use %s: %s", s->dir, strerror(errno));
	return err;
}

bool part_alive(const struct standing *s, const char *part)
{
	int fd = pid_file_open(s, part);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int rack_look(const char *name, struct standing *s, struct plan *p)
{
	int err = folder_name(name, s->name);

	if (err)
		return err;
	if (!standing_place(s->name, s->dir, sizeof(s->dir)))
		s->fd = -1;
	else
		s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0 || !part_alive(s, VM_SWITCH))
		return cli_error("the VM rack %s is not up (ashlar vm up starts it)", name);
	return plan_read(s, p);
}

void rack_stop(const struct standing *s)
{
	static char name[STANDING_PARTS_MAX][NAME_BYTES];
	const char *names[STANDING_PARTS_MAX];
	DIR *d = opendir(s->dir);
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)) && n < STANDING_PARTS_MAX) {
		size_t len = strlen(e->d_name);

		if (len < 5 || len - 4 >= NAME_BYTES || strcmp(e->d_name + len - 4, ".pid") != 0)
			continue;
		memcpy(name[n], e->d_name, len - 4);
		name[n][len - 4] = 0;
		names[n] = name[n];
		n++;
	}
	if (d)
		closedir(d);
	parts_stop(s, names, NULL, n);
}

/* By way of the open folder: the path of a socket may be 107 bytes long, and the folder's alone may be longer. */
int rack_connect(const struct standing *s, const char *node, const char *suffix)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s%s", s->fd, node, suffix);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}
