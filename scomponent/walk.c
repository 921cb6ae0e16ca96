/*
 * Walk: follow the links of a path name by name, to learn whether and where it enters /proc, /sys or /dev. Slow, and
 * only for paths that the host kernel could not resolve here, or that came out there. Nothing is opened by it but the
 * names on the way, and those confined like any other (openat2 from the export's root).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "scomponent/resolve.h"
#include "scomponent/state.h"

#define LINKS_MAX 40 /* as the host kernel's */

struct walk {
	char done[PATH_MAX]; /* without links, without a slash at its end; "" is the root */
	char rest[PATH_MAX];
	int links;
};

/* Read the link at the path w->done: its length, or -errno (-EINVAL: no link). */
static ssize_t link_read(const struct scomponent *s, const char *path, char *buf)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, s->root, path, &how, sizeof(how));
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = readlinkat(fd, "", buf, PATH_MAX - 1);
	if (n < 0)
		n = errno == ENOENT ? -EINVAL : -errno;
	close(fd);
	return n;
}

/* Take the next name off rest. False: none left. */
static bool name_next(struct walk *w, char name[NAME_MAX + 1])
{
	size_t from = strspn(w->rest, "/"), n = strcspn(w->rest + from, "/");

	if (!n || n > NAME_MAX)
		return false;
	memcpy(name, w->rest + from, n);
	name[n] = '\0';
	memmove(w->rest, w->rest + from + n, strlen(w->rest + from + n) + 1);
	return true;
}

/* done becomes done/name, or its parent. False: too long. */
static bool name_add(struct walk *w, const char *name)
{
	size_t len = strlen(w->done);
	char *slash;

	if (!strcmp(name, "."))
		return true;
	if (!strcmp(name, "..")) {
		slash = strrchr(w->done, '/');
		if (slash)
			*slash = '\0';
		return true;
	}
	if (len + 1 + strlen(name) >= PATH_MAX)
		return false;
	w->done[len] = '/';
	strcpy(w->done + len + 1, name);
	return true;
}

/* done turned out to be a link: go on with its text. False: too long, or too many. */
static bool link_enter(struct walk *w, const char *text, size_t n)
{
	size_t rest = strlen(w->rest);

	if (++w->links > LINKS_MAX || n + rest >= PATH_MAX)
		return false;
	memmove(w->rest + n, w->rest, rest + 1);
	memcpy(w->rest, text, n);
	if (*text == '/')
		w->done[0] = '\0';
	else
		name_add(w, "..");
	return true;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool rest_is_empty(const struct walk *w)
{
	return !w->rest[strspn(w->rest, "/")];
}

bool walk_foreign(const struct scomponent *s, const char *start, const char *path, bool follow, char *out)
{
	char name[NAME_MAX + 1], text[PATH_MAX];
	struct walk w = { .links = 0 };
	bool foreign = false;
	ssize_t n;

	if (*path != '/' && strcmp(start, "/"))
		strcpy(w.done, start);
	strcpy(w.rest, path);
	while (!(foreign = path_is_foreign(w.done)) && name_next(&w, name)) {
		if (!name_add(&w, name))
			break;
		if (is_dots(name) || path_is_foreign(w.done) || (!follow && rest_is_empty(&w)))
			continue; /* no link, or not to be looked at */
		n = link_read(s, w.done, text);
		if (n == -EINVAL)
			continue;
		if (n < 0 || !link_enter(&w, text, (size_t)n))
			break;
	}
	if (strlen(w.done) + strlen(w.rest) >= PATH_MAX)
		return false;
	strcpy(out, w.done);
	strcat(out, w.rest);
	if (!*out)
		strcpy(out, "/");
	return foreign;
}
