/*
 * Protection domains and regions. A net_pd is an ibv_pd: queue pairs in it reach its regions and no others. A region is a
 * memfd, registered once to be read and once to be written, each when the first key needs it, both at address 0: a peer
 * learns no address of ours. Sealing takes the registration for writing away, freeing both; the device answers nothing
 * with a key that is gone, and its pins of the pages go with it, so the memory can be given back at once.
 *
 * What is a local end of transfers is registered a third time, in the protection domain of our own queue pairs.
 *
 * Forks: regions are shared mappings, which no fork copies, so the device and both processes go on to see the same pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

static struct vb_mr *vb_mr(struct net_mr *mr)
{
	return container_of(mr, struct vb_mr, base);
}

int vb_pd_open(struct net *base, struct net_pd **out)
{
	struct vb_pd *pd = calloc(1, sizeof(*pd));

	(void)base;
	if (!pd)
		return -ENOMEM;
	list_init(&pd->ties);
	*out = &pd->base;
	return 0;
}

void vb_pd_close(struct net_pd *base)
{
	struct vb_pd *pd = container_of(base, struct vb_pd, base);

	BUG_ON(pd->regions);
	while (!list_empty(&pd->ties))
		vb_tie_close(container_of(pd->ties.next, struct net_tie, of_pd));
	if (pd->pd && ibv_dealloc_pd(pd->pd))
		log_error("verbs: a protection domain does not close");
	free(pd);
}

static int memory_make(struct vb_mr *mr, uint64_t bytes, bool mapped)
{
	mr->fd = net_fd_raise(memfd_create("ashlar", MFD_CLOEXEC | MFD_ALLOW_SEALING), mr->pd->base.net->opt.fd_floor);
	if (mr->fd < 0)
		return -EMFILE;
	if (ftruncate(mr->fd, (off_t)bytes) < 0 || fcntl(mr->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	if (!mapped)
		return 0;
	mr->addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mr->fd, 0);
	if (mr->addr != MAP_FAILED)
		return 0;
	mr->addr = NULL;
	return -errno;
}

/* last: no other region has this memory */
static void memory_drop(struct vb_mr *mr, uint64_t bytes, bool last)
{
	if (mr->addr)
		munmap(mr->addr, bytes);
	if (mr->fd < 0 || !last)
		return;
	/* Who was given the descriptor sees zeros; the pages are ours again at once. */
	(void)!fallocate(mr->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
	(void)!fcntl(mr->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
	close(mr->fd);
}

int vb_mr_alloc(struct net_pd *pd, uint64_t bytes, bool mapped, struct net_mr **out)
{
	struct vb_net *net = vb_net(pd->net);
	struct vb_mr *mr;
	int err;

	if (bytes > net->attr.max_mr_size)
		return vb_refused(net, "memory in one region", net->attr.max_mr_size, EFBIG);
	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return -ENOMEM;
	mr->pd = container_of(pd, struct vb_pd, base);
	list_init(&mr->given);
	pthread_mutex_init(&mr->local_lock, NULL);
	err = memory_make(mr, bytes, mapped);
	if (err) {
		memory_drop(mr, bytes, true);
		free(mr);
		return err;
	}
	__atomic_fetch_add(&mr->pd->regions, 1, __ATOMIC_RELAXED);
	*out = &mr->base;
	return 0;
}

void *vb_mr_addr(const struct net_mr *mr)
{
	return container_of(mr, struct vb_mr, base)->addr;
}

int vb_mr_fd(const struct net_mr *mr)
{
	return container_of(mr, struct vb_mr, base)->fd;
}

/* The registration holds the pages; the mapping is needed only while it is made. */
static int key_make(struct vb_mr *mr, int rights, struct ibv_mr **out)
{
	struct vb_net *net = vb_net(mr->base.net);
	uint64_t bytes = mr->base.bytes;
	void *at = mr->addr ? mr->addr : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mr->fd, 0);
	int err = 0;

	if (at == MAP_FAILED)
		return -ENOMEM;
	*out = ibv_reg_mr_iova(mr->pd->pd, at, bytes, 0, rights);
	if (!*out)
		err = vb_refused(net, "registered memory", (uint64_t)net->attr.max_mr, errno);
	if (!mr->addr)
		munmap(at, bytes);
	return err;
}

int vb_mr_register(struct vb_mr *mr, unsigned access)
{
	struct vb_net *net = vb_net(mr->base.net);
	int err = 0;

	if (!mr->pd->pd) {
		mr->pd->pd = ibv_alloc_pd(net->ctx);
		if (!mr->pd->pd)
			return vb_refused(net, "protection domains", (uint64_t)net->attr.max_pd, errno);
	}
	if (access & NET_READ && !mr->read)
		err = key_make(mr, IBV_ACCESS_REMOTE_READ, &mr->read);
	if (!err && access & NET_WRITE && !mr->write)
		err = key_make(mr, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, &mr->write);
	return err;
}

static int local_make(struct vb_mr *mr, struct ibv_mr **out)
{
	struct vb_net *net = vb_net(mr->base.net);
	int err = 0;

	pthread_mutex_lock(&mr->local_lock);
	*out = mr->local;
	if (!*out) {
		*out = ibv_reg_mr(net->pd, mr->addr, mr->base.bytes, IBV_ACCESS_LOCAL_WRITE);
		if (*out)
			__atomic_store_n(&mr->local, *out, __ATOMIC_RELEASE);
		else
			err = vb_refused(net, "registered memory", (uint64_t)net->attr.max_mr, errno);
	}
	pthread_mutex_unlock(&mr->local_lock);
	return err;
}

int vb_mr_local(struct vb_net *net, const struct net_sge *s, struct ibv_sge *to)
{
	struct vb_mr *mr = s->mr ? vb_mr(s->mr) : NULL;
	struct ibv_mr *local;
	uint64_t off;
	int err;

	if (!mr || s->mr->net != &net->base || !mr->addr)
		return -EINVAL;
	off = (uint64_t)((uint8_t *)s->addr - (uint8_t *)mr->addr);
	if (off > mr->base.bytes || s->bytes > mr->base.bytes - off)
		return -EINVAL;
	local = __atomic_load_n(&mr->local, __ATOMIC_ACQUIRE);
	if (!local) {
		err = local_make(mr, &local);
		if (err)
			return err;
	}
	*to = (struct ibv_sge){ .addr = (uintptr_t)s->addr, .length = s->bytes, .lkey = local->lkey };
	return 0;
}

static int key_close(struct ibv_mr **mr)
{
	int err = *mr ? ibv_dereg_mr(*mr) : 0;

	if (err)
		log_error("verbs: a key does not close");
	else
		*mr = NULL;
	return -err;
}

int vb_mr_seal(struct net_mr *base)
{
	struct vb_mr *mr = vb_mr(base);
	int err;

	if (mr->sealed)
		return 0;
	err = key_close(&mr->write);
	if (err)
		return err;
	mr->sealed = true;
	vb_given_close(mr, NET_WRITE);
	return 0;
}

bool vb_mr_sealed(const struct net_mr *mr)
{
	return container_of(mr, struct vb_mr, base)->sealed;
}

int vb_mr_share(struct net_mr *base, struct net_pd *to, struct net_mr **out)
{
	struct vb_mr *mr = calloc(1, sizeof(*mr));

	if (!mr)
		return -ENOMEM;
	mr->pd = container_of(to, struct vb_pd, base);
	mr->fd = vb_mr(base)->fd;
	mr->sealed = true;
	list_init(&mr->given);
	pthread_mutex_init(&mr->local_lock, NULL);
	__atomic_fetch_add(&mr->pd->regions, 1, __ATOMIC_RELAXED);
	*out = &mr->base;
	return 0;
}

void vb_mr_free(struct net_mr *base)
{
	struct vb_mr *mr = vb_mr(base);
	int err = key_close(&mr->write) | key_close(&mr->read) | key_close(&mr->local);

	vb_given_close(mr, NET_READ | NET_WRITE);
	__atomic_fetch_sub(&mr->pd->regions, 1, __ATOMIC_RELAXED);
	/* Memory that a peer may still reach belongs to nobody else, ever: this one stays the last to have it. */
	if (err)
		return;
	memory_drop(mr, base->bytes, net_mr_last(base));
	pthread_mutex_destroy(&mr->local_lock);
	free(mr);
}
