/* Paths with the rules of openat2 (path.h). Remote ones go to the storage component as they are, which has the kernel judge. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/sys/uaccess.h"

#define NO_LINKS (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* Rules on what may be on the way only. */
static long get_loose(int dirfd, const char *raw, unsigned flags, uint32_t rules, struct path *p)
{
	long err = path_get_local(dirfd, raw, flags, p);

	if (err)
		return err;
	p->rules = rules;
	/* Another path than was asked for: out of a link of /proc/self. */
	if (rules & NO_LINKS && p->where == PATH_REMOTE && strcmp(p->str, raw)) {
		path_put(p);
		return -ELOOP;
	}
	return 0;
}

/* Of the host's part, from the directory base; raw stays below it by its text. */
static long get_host(const char *base, const char *raw, unsigned flags, uint32_t rules, struct path *p)
{
	char full[PATH_MAX];
	int err = path_normal(base, raw, full);

	rules &= ~(uint32_t)(RESOLVE_BENEATH | RESOLVE_IN_ROOT);
	return err ? err : get_loose(AT_FDCWD, full, flags, rules | NO_LINKS, p);
}

/* raw as a path relative to the root "/" that stays below it. */
static long clamp(const char *raw, char *out)
{
	long err = path_normal("/", raw, out);

	if (!err)
		memmove(out, out + 1, strlen(out));
	return err;
}

static long get_confined(struct path *dir, const char *raw, unsigned flags, uint32_t rules, struct path *p)
{
	const char *base = dir->where == PATH_HOST ? dir->str : dir->dir ? dir->dir->path : "/";
	char inside[PATH_MAX], full[PATH_MAX];
	long err;

	/* The root is no confinement, and has the host's part in it. */
	if (rules & RESOLVE_IN_ROOT && !strcmp(base, "/")) {
		if (snprintf(full, sizeof(full), "/%s", raw) >= (int)sizeof(full))
			return -ENAMETOOLONG;
		return get_loose(AT_FDCWD, full, flags, rules & ~(uint32_t)RESOLVE_IN_ROOT, p);
	}
	err = clamp(raw, inside);
	if (!err)
		err = path_normal(base, inside, full);
	if (err)
		return err;
	if (dir->where == PATH_HOST || (path_is_host(full) && !path_leaves(raw)))
		return rules & RESOLVE_BENEATH && path_leaves(raw) ? -EXDEV : get_host(base, inside, flags, rules, p);
	*p = *dir;
	dir->dir = NULL; /* p's now */
	p->rules = rules;
	strcpy(p->str, raw);
	return 0;
}

long path_get_rules(int dirfd, uint64_t addr, unsigned flags, uint32_t rules, struct path *p)
{
	char raw[PATH_MAX];
	struct path dir;
	long n = uaccess_str(raw, addr, sizeof(raw));

	if (n < 0)
		return n;
	if (!(rules & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) || !*raw)
		return get_loose(dirfd, raw, flags, rules, p);
	if (*raw == '/' && rules & RESOLVE_BENEATH)
		return -EXDEV;
	n = path_get_local(dirfd, ".", 0, &dir);
	if (n)
		return n;
	n = get_confined(&dir, raw, flags, rules, p);
	path_put(&dir);
	return n;
}
