/*
 * Regions: memfds that can neither shrink nor grow, so that who maps or reads one is never surprised. Closing the
 * writing key is a seal, for ever and for every descriptor there is. Freeing an open region takes its pages away at
 * once (a peer that kept the descriptor reads zeros and can no longer write); those of a sealed one go when the last
 * descriptor is closed, since a seal also forbids to punch holes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/local/local.h"

static struct local_mr *local_mr(struct net_mr *mr)
{
	return container_of(mr, struct local_mr, base);
}

int local_pd_open(struct net *net, struct net_pd **out)
{
	struct local_pd *pd = calloc(1, sizeof(*pd));

	(void)net;
	if (!pd)
		return -ENOMEM;
	*out = &pd->base;
	return 0;
}

void local_pd_close(struct net_pd *base)
{
	struct local_pd *pd = container_of(base, struct local_pd, base);

	BUG_ON(pd->regions);
	free(pd);
}

static int memfd_make(const struct net *net, uint64_t bytes)
{
	int fd, err;

	fd = local_fd_place(net, memfd_create("ashlar", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int local_mr_alloc(struct net_pd *pd, uint64_t bytes, bool mapped, struct net_mr **out)
{
	struct local_mr *mr = calloc(1, sizeof(*mr));
	int err;

	if (!mr)
		return -ENOMEM;
	mr->pd = container_of(pd, struct local_pd, base);
	mr->fd = memfd_make(pd->net, bytes);
	if (mr->fd < 0) {
		err = mr->fd;
		goto out_free;
	}
	if (mapped) {
		mr->addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mr->fd, 0);
		if (mr->addr == MAP_FAILED) {
			err = -errno;
			goto out_close;
		}
	}
	mr->pd->regions++;
	*out = &mr->base;
	return 0;

out_close:
	close(mr->fd);
out_free:
	free(mr);
	return err;
}

void *local_mr_addr(const struct net_mr *mr)
{
	return container_of(mr, struct local_mr, base)->addr;
}

int local_mr_fd(const struct net_mr *mr)
{
	return container_of(mr, struct local_mr, base)->fd;
}

static int reopen_readonly(const struct net *net, int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return local_fd_place(net, open(path, O_RDONLY | O_CLOEXEC));
}

int local_mr_grant(struct net_mr *base, struct net_conn *to, unsigned access, struct net_key *key)
{
	struct local_conn *c = container_of(to, struct local_conn, base);
	struct local_frame f = { .kind = LOCAL_KEY, .access = access, .bytes = base->bytes };
	struct local_mr *mr = local_mr(base);
	int fd = mr->fd, err;

	if (mr->sealed && access & NET_WRITE)
		return -EACCES;
	if (getrandom(f.id, sizeof(f.id), 0) != sizeof(f.id))
		return -EIO;
	if (!(access & NET_WRITE)) {
		fd = reopen_readonly(base->net, mr->fd);
		if (fd < 0)
			return fd;
	}
	err = local_send_key(c, &f, fd);
	if (fd != mr->fd)
		close(fd);
	if (!err)
		*key = (struct net_key){ { f.id[0], f.id[1], f.bytes, f.access } };
	return err;
}

/* FUTURE_WRITE forbids write(2) and new mappings, but leaves mappings that are there; ours, or a peer's. */
int local_mr_seal(struct net_mr *base)
{
	struct local_mr *mr = local_mr(base);

	if (mr->sealed)
		return 0;
	if (mr->addr || fcntl(mr->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0) {
		if (!mr->addr && errno != EBUSY)
			return -errno;
		if (!mr->addr)
			log_warn("sealed a region that some peer has mapped for writing");
		if (fcntl(mr->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0)
			return -errno;
	}
	mr->sealed = true;
	return 0;
}

bool local_mr_sealed(const struct net_mr *mr)
{
	return container_of(mr, struct local_mr, base)->sealed;
}

/* The descriptor is common to all that share: the last one closes it. */
int local_mr_share(struct net_mr *base, struct net_pd *to, struct net_mr **out)
{
	struct local_mr *mr = calloc(1, sizeof(*mr));

	if (!mr)
		return -ENOMEM;
	mr->pd = container_of(to, struct local_pd, base);
	mr->fd = local_mr(base)->fd;
	mr->sealed = true;
	mr->pd->regions++;
	*out = &mr->base;
	return 0;
}

void local_mr_free(struct net_mr *base)
{
	struct local_mr *mr = local_mr(base);

	if (!mr->sealed) {
		/* Neither can fail on a memfd of ours; were it so, the pages go with the last descriptor. */
		(void)!fallocate(mr->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)base->bytes);
		(void)!fcntl(mr->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
	}
	if (mr->addr)
		munmap(mr->addr, base->bytes);
	if (net_mr_last(base))
		close(mr->fd);
	mr->pd->regions--;
	free(mr);
}
