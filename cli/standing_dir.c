/* Where standing racks keep their state, and which one is meant. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/standing.h"

#define RUN_OF_ROOT "/run/ashlar"

/* The folder of racks of ours. False: there is no place for it. */
static bool base_path(char *path, size_t bytes)
{
	const char *run = getenv("ASHLAR_RUN"), *xdg = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	struct stat st;

	if (run && *run == '/')
		return snprintf(path, bytes, "%s", run) < (int)bytes;
	if (geteuid() == 0)
		return snprintf(path, bytes, RUN_OF_ROOT) < (int)bytes;
	if (xdg && *xdg == '/' && stat(xdg, &st) == 0 && st.st_uid == geteuid())
		return snprintf(path, bytes, "%s/ashlar", xdg) < (int)bytes;
	return home && *home == '/' && snprintf(path, bytes, "%s/.cache/ashlar", home) < (int)bytes;
}

/* A folder of ours that nobody else may write: its descriptor, or -errno. */
static int folder_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static int folder_make(const char *path)
{
	if (mkdir(path, geteuid() == 0 ? 0755 : 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

static int base_make(const char *path)
{
	char above[PATH_MAX];
	int err = folder_make(path), fd;

	if (err == -ENOENT) { /* ~/.cache */
		snprintf(above, sizeof(above), "%s", path);
		*strrchr(above, '/') = 0;
		err = *above ? folder_make(above) : -ENOENT;
		err = err ? err : folder_make(path);
	}
	if (err)
		return err;
	fd = folder_open(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Open and locked; the folder may be gone by the time that the lock is ours: then again. */
static int dir_lock(struct standing *s, bool create)
{
	struct stat here, there;

	for (;;) {
		int err = create ? folder_make(s->dir) : 0;

		s->fd = err ? err : folder_open(s->dir);
		if (s->fd < 0)
			return s->fd;
		if (flock(s->fd, LOCK_EX | LOCK_NB)) {
			err = -errno;
			close(s->fd);
			return s->fd = err;
		}
		if (fstat(s->fd, &here) == 0 && stat(s->dir, &there) == 0 && here.st_ino == there.st_ino)
			return 0;
		close(s->fd);
		if (!create)
			return s->fd = -ENOENT;
	}
}

int standing_open(struct standing *s, const char *name, bool create)
{
	char base[sizeof(s->dir) - NAME_BYTES - 1];
	int err;

	s->fd = -1;
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (!base_path(base, sizeof(base)))
		return cli_error("no place for the state of a rack: neither XDG_RUNTIME_DIR nor HOME is a folder");
	snprintf(s->dir, sizeof(s->dir), "%s/%s", base, name);
	err = create ? base_make(base) : 0;
	if (!err)
		err = dir_lock(s, create);
	if (err == -ENOENT && !create)
		return 1;
	if (err == -EWOULDBLOCK)
		return cli_error("another command is taking the rack %s up or down just now", name);
	if (err == -EPERM)
		return cli_error("%s is not a folder that belongs to us alone", s->dir);
	return err ? cli_error("cannot use %s: %s", s->dir, strerror(-err)) : 0;
}

bool standing_place(const char *name, char *path, size_t bytes)
{
	char base[PATH_MAX / 2];

	return base_path(base, sizeof(base)) && snprintf(path, bytes, "%s/%s", base, name) < (int)bytes;
}

int standing_folder(const char *name, char *path, size_t bytes)
{
	if (!standing_place(name, path, bytes) || access(path, R_OK))
		return cli_error("no rack %s of ours is up", name);
	return 0;
}

void standing_close(struct standing *s)
{
	if (s->fd >= 0)
		close(s->fd); /* with it the lock */
	s->fd = -1;
}

void standing_remove(struct standing *s)
{
	DIR *d = opendir(s->dir); /* not by fd: its offset would be shared */
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(s->fd, e->d_name, 0);
	if (d)
		closedir(d);
	if (rmdir(s->dir) == 0) {
		char base[sizeof(s->dir)];

		snprintf(base, sizeof(base), "%s", s->dir);
		*strrchr(base, '/') = 0;
		rmdir(base); /* stays where other racks are */
	}
	standing_close(s);
}

const char *standing_path(const struct standing *s, const char *part, const char *suffix, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s%s", s->dir, part, suffix);
	return path;
}

static bool rack_in(const char *base, const char *name, char *path, size_t bytes)
{
	return snprintf(path, bytes, "%s/%s/%s.rack", base, name, name) < (int)bytes && access(path, R_OK) == 0;
}

/* The only rack of ours: 1 and its name; 0: none; 2 and two of them. */
static int rack_only(const char *base, char *names, size_t bytes)
{
	DIR *d = opendir(base);
	char path[PATH_MAX];
	struct dirent *e;
	int n = 0;

	names[0] = 0;
	while (d && n < 2 && (e = readdir(d)))
		if (rack_name_fits(e->d_name) && rack_in(base, e->d_name, path, sizeof(path))) {
			size_t len = strlen(names);

			snprintf(names + len, bytes - len, "%s%.*s", n ? ", " : "", NAME_BYTES - 1, e->d_name);
			n++;
		}
	if (d)
		closedir(d);
	return n;
}

int rack_find(const char *typed, char *path, size_t bytes)
{
	char base[PATH_MAX], only[2 * NAME_BYTES + 4];
	bool has_base = base_path(base, sizeof(base));
	struct stat st;

	if (!typed)
		typed = getenv("ASHLAR_RACK");
	if (!typed || !*typed) {
		int n = has_base ? rack_only(base, only, sizeof(only)) : 0;

		if (n != 1)
			return n ? cli_error("which rack? there is more than one: %s, ...", only)
				 : cli_error("which rack? none of ours is up");
		typed = only;
	}
	if (strchr(typed, '/') || (stat(typed, &st) == 0 && S_ISREG(st.st_mode)))
		return snprintf(path, bytes, "%s", typed) < (int)bytes ? 0 : cli_error("the path is too long");
	if (rack_name_fits(typed) &&
	    ((has_base && rack_in(base, typed, path, bytes)) || rack_in(RUN_OF_ROOT, typed, path, bytes)))
		return 0;
	return cli_error("there is neither a rack file %s nor a rack of that name that is up", typed);
}
