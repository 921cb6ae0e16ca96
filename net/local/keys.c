/*
 * Keys that have arrived and were not taken up yet. A peer may push descriptors that nobody asked for: the table is
 * bounded, the oldest gives way (it belongs to a reply that nobody waits for any more), all go with the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "net/local/local.h"

/*
 * Only a memfd that cannot shrink is taken: reading and writing it never blocks (as a pipe or a file of a foreign file
 * system may) and never comes up short. Seals are asked first, since fstat itself may block on a foreign file system.
 */
static bool is_region(int fd, const struct local_frame *f)
{
	int seals = fcntl(fd, F_GET_SEALS), flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || flags < 0)
		return false;
	if (!f->access || f->access & ~(uint32_t)(NET_READ | NET_WRITE))
		return false;
	if ((flags & O_ACCMODE) != (f->access & NET_WRITE ? O_RDWR : O_RDONLY))
		return false;
	return f->bytes && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size >= f->bytes;
}

static void key_remove(struct local_conn *c, unsigned i)
{
	c->n_keys--;
	memmove(&c->keys[i], &c->keys[i + 1], (c->n_keys - i) * sizeof(c->keys[0]));
}

int local_keys_add(struct local_conn *c, const struct local_frame *f, int fd)
{
	int err = -EPROTO;

	if (!is_region(fd, f))
		goto out_close;
	if (!c->keys) {
		err = -ENOMEM;
		c->keys = calloc(LOCAL_KEYS_MAX, sizeof(c->keys[0]));
		if (!c->keys)
			goto out_close;
	}
	if (c->n_keys == c->keys_max) {
		net_count(&c->base.net->stats.failures, 1);
		close(c->keys[0].fd);
		key_remove(c, 0);
	}
	c->keys[c->n_keys++] = (struct local_key){ { f->id[0], f->id[1] }, f->bytes, f->access, fd };
	return 0;

out_close:
	close(fd);
	return err;
}

int local_keys_take(struct local_conn *c, const struct net_key *key, uint64_t bytes, struct local_key *out)
{
	for (unsigned i = 0; i < c->n_keys; i++) {
		const struct local_key *k = &c->keys[i];

		if (k->id[0] != key->w[0] || k->id[1] != key->w[1])
			continue;
		if (bytes > k->bytes)
			return -ERANGE;
		*out = *k;
		key_remove(c, i);
		return 0;
	}
	return -EACCES;
}

void local_keys_drop(struct local_conn *c)
{
	while (c->n_keys)
		close(c->keys[--c->n_keys].fd);
	free(c->keys);
	c->keys = NULL;
}
