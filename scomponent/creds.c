/* See creds.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "scomponent/creds.h"

static int groups_take(struct creds *c, const uint32_t *groups, uint32_t n)
{
	uint32_t *copy = n ? malloc(n * sizeof(*copy)) : NULL;

	if (n && !copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, groups, n * sizeof(*copy));
	free(c->groups);
	c->groups = copy;
	c->n_groups = n;
	return 0;
}

int creds_begin(struct creds *c, uint32_t uid, uint32_t gid, const uint32_t *groups, uint32_t n_groups)
{
	unsigned i;

	*c = (struct creds){ .caps = uid ? 0 : CREDS_SETUID | CREDS_SETGID };
	for (i = 0; i < CREDS_WHICH; i++) {
		c->uid[i] = uid;
		c->gid[i] = gid;
	}
	return groups_take(c, groups, n_groups);
}

static bool one_of(uint32_t id, const uint32_t have[CREDS_WHICH])
{
	unsigned i;

	for (i = 0; i < CREDS_WHICH; i++)
		if (have[i] == id)
			return true;
	return false;
}

static bool may(const struct creds *c, const struct p2s_creds_req *to)
{
	unsigned i;

	for (i = 0; i < CREDS_WHICH; i++)
		if (!(c->caps & CREDS_SETUID || one_of(to->uid[i], c->uid)) ||
		    !(c->caps & CREDS_SETGID || one_of(to->gid[i], c->gid)))
			return false;
	return true;
}

int creds_change(struct creds *c, const struct p2s_creds_req *to, const uint32_t *groups, uint32_t n_groups)
{
	int err = may(c, to) ? 0 : -EPERM;

	if (!err && c->caps & CREDS_SETGID)
		err = groups_take(c, groups, n_groups);
	c->caps &= to->caps;
	c->nobody = err != 0;
	if (err)
		return err;
	memcpy(c->uid, to->uid, sizeof(c->uid));
	memcpy(c->gid, to->gid, sizeof(c->gid));
	return 0;
}

void creds_end(struct creds *c)
{
	free(c->groups);
	c->groups = NULL;
	c->n_groups = 0;
}
