/*
 * Protection domains and regions. A net_pd is a libfabric domain: what is let into it by a lane reaches its regions and no
 * others. A region is a memfd, mapped once for peers (the wire mapping) and once more for its owner if he wants.
 *
 * Closing a key closes the registration; but libfabric may then still hold the address of a transfer half done. So sealing
 * also makes the wire mapping read-only, and freeing leaves an address range that nobody can touch, kept for later regions
 * of the same domain: whatever comes late meets the process that it belongs to, or a fault of the system call (EFAULT,
 * which ends the lane), never another's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

struct range {
	struct list link;
	void *addr;
	uint64_t bytes;
};

static struct ofi_mr *ofi_mr(struct net_mr *mr)
{
	return container_of(mr, struct ofi_mr, base);
}

/* Nothing completes here but by error; reading the queue is what answers the peers' transfers. */
static void pd_run(struct ofi_pd *pd)
{
	struct ofi_net *net = ofi_net(pd->base.net);
	struct loop *loop = net->base.opt.loop;

	for (unsigned i = 0; i < OFI_ROUNDS_MAX; i++) {
		struct fi_cq_err_entry failed = { 0 };
		struct fi_cq_msg_entry e;
		ssize_t n = fi_cq_read(pd->cq.cq, &e, 1);

		if (n == -FI_EAVAIL)
			fi_cq_readerr(pd->cq.cq, &failed, 0);
		else if (n < 0 && ofi_cq_may_wait(net, &pd->cq))
			return;
	}
	loop_timer_set(loop, &pd->again, loop_now(loop)); /* others first */
}

static void pd_event(void *arg, uint32_t events)
{
	(void)events;
	pd_run(arg);
}

static void pd_again(void *arg)
{
	pd_run(arg);
}

static int pd_cq_open(struct ofi_net *net, struct ofi_pd *pd)
{
	int err = ofi_cq_open(net, pd->domain, &pd->cq);

	if (err)
		return err;
	pd->again.fn = pd_again;
	pd->again.arg = pd;
	err = loop_fd_add(net->base.opt.loop, pd->cq.fd, EPOLLIN, pd_event, pd);
	if (err)
		ofi_cq_close(&pd->cq);
	return err;
}

int ofi_pd_open(struct net *base, struct net_pd **out)
{
	struct ofi_net *net = ofi_net(base);
	struct ofi_pd *pd = calloc(1, sizeof(*pd));
	int err;

	if (!pd)
		return -ENOMEM;
	list_init(&pd->ties);
	list_init(&pd->ranges);
	err = fi_domain(net->fabric, net->info, &pd->domain, NULL);
	if (!err && base->opt.loop) {
		err = pd_cq_open(net, pd);
		if (err)
			ofi_fid_close(&pd->domain->fid);
	}
	if (err) {
		free(pd);
		return err;
	}
	*out = &pd->base;
	return 0;
}

void ofi_pd_close(struct net_pd *base)
{
	struct ofi_pd *pd = container_of(base, struct ofi_pd, base);

	BUG_ON(pd->regions);
	while (!list_empty(&pd->ties))
		ofi_tie_close(container_of(pd->ties.next, struct net_tie, of_pd));
	if (pd->cq.cq) {
		loop_timer_del(base->net->opt.loop, &pd->again);
		loop_fd_del(base->net->opt.loop, pd->cq.fd);
		ofi_cq_close(&pd->cq);
	}
	ofi_fid_close(&pd->domain->fid);
	while (!list_empty(&pd->ranges)) {
		struct range *r = container_of(pd->ranges.next, struct range, link);

		munmap(r->addr, r->bytes);
		list_del(&r->link);
		free(r);
	}
	free(pd);
}

/* An address range of a freed region of this size, or NULL. */
static void *range_take(struct ofi_pd *pd, uint64_t bytes)
{
	for (struct list *l = pd->ranges.next; l != &pd->ranges; l = l->next) {
		struct range *r = container_of(l, struct range, link);
		void *addr = r->addr;

		if (r->bytes != bytes)
			continue;
		list_del(&r->link);
		free(r);
		return addr;
	}
	return NULL;
}

/* Without memory for the note the range is never used again: still safe. */
static void range_give(struct ofi_pd *pd, void *addr, uint64_t bytes)
{
	struct range *r = malloc(sizeof(*r));

	BUG_ON(mmap(addr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	       MAP_FAILED);
	if (!r)
		return;
	r->addr = addr;
	r->bytes = bytes;
	list_add_tail(&pd->ranges, &r->link);
}

static int wire_make(struct ofi_mr *mr, uint64_t bytes, int protection)
{
	void *at = range_take(mr->pd, bytes);

	mr->wire = mmap(at, bytes, protection, MAP_SHARED | (at ? MAP_FIXED : 0), mr->fd, 0);
	if (mr->wire != MAP_FAILED)
		return 0;
	mr->wire = NULL;
	if (at)
		range_give(mr->pd, at, bytes);
	return -ENOMEM;
}

static int memory_make(struct ofi_mr *mr, uint64_t bytes, bool mapped)
{
	mr->fd = memfd_create("ashlar", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mr->fd < 0)
		return -errno;
	if (ftruncate(mr->fd, (off_t)bytes) < 0 || fcntl(mr->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	if (mapped) {
		mr->addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mr->fd, 0);
		if (mr->addr == MAP_FAILED) {
			mr->addr = NULL;
			return -errno;
		}
	}
	return wire_make(mr, bytes, PROT_READ | PROT_WRITE);
}

/* last: no other region has this memory */
static void memory_drop(struct ofi_mr *mr, uint64_t bytes, bool last)
{
	if (mr->wire)
		range_give(mr->pd, mr->wire, bytes);
	if (mr->addr)
		munmap(mr->addr, bytes);
	if (mr->fd < 0 || !last)
		return;
	/* Who was given the descriptor sees zeros; the pages are ours again at once. */
	(void)!fallocate(mr->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
	(void)!fcntl(mr->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
	close(mr->fd);
}

int ofi_mr_alloc(struct net_pd *pd, uint64_t bytes, bool mapped, struct net_mr **out)
{
	struct ofi_mr *mr = calloc(1, sizeof(*mr));
	int err;

	if (!mr)
		return -ENOMEM;
	mr->pd = container_of(pd, struct ofi_pd, base);
	list_init(&mr->given);
	err = memory_make(mr, bytes, mapped);
	if (err) {
		memory_drop(mr, bytes, true);
		free(mr);
		return err;
	}
	mr->pd->regions++;
	*out = &mr->base;
	return 0;
}

void *ofi_mr_addr(const struct net_mr *mr)
{
	return container_of(mr, struct ofi_mr, base)->addr;
}

int ofi_mr_fd(const struct net_mr *mr)
{
	return container_of(mr, struct ofi_mr, base)->fd;
}

static int key_make(struct ofi_mr *mr, uint64_t rights, struct fid_mr **out)
{
	const struct ofi_net *net = ofi_net(mr->base.net);
	int err = -FI_ENOKEY;

	/* Where we choose keys they are random: nobody guesses one, and two regions hardly meet. */
	for (unsigned i = 0; i < 4 && err == -FI_ENOKEY; i++) {
		uint64_t key = 0;

		if (net_random(&key, 1))
			return -EIO;
		if (net->key32)
			key &= UINT32_MAX;
		err = fi_mr_reg(mr->pd->domain, mr->wire, mr->base.bytes, rights, 0, key, 0, out, NULL);
	}
	if (err)
		*out = NULL;
	return err;
}

int ofi_mr_register(struct ofi_mr *mr, unsigned access)
{
	int err = 0;

	if (access & NET_READ && !mr->read)
		err = key_make(mr, FI_REMOTE_READ, &mr->read);
	if (!err && access & NET_WRITE && !mr->write)
		err = key_make(mr, FI_REMOTE_WRITE, &mr->write);
	return err;
}

static void key_close(struct fid_mr **mr)
{
	if (*mr)
		ofi_fid_close(&(*mr)->fid);
	*mr = NULL;
}

int ofi_mr_seal(struct net_mr *base)
{
	struct ofi_mr *mr = ofi_mr(base);

	if (mr->sealed)
		return 0;
	key_close(&mr->write);
	if (mprotect(mr->wire, base->bytes, PROT_READ) < 0)
		return -errno;
	mr->sealed = true;
	ofi_given_close(mr, NET_WRITE);
	return 0;
}

bool ofi_mr_sealed(const struct net_mr *mr)
{
	return container_of(mr, struct ofi_mr, base)->sealed;
}

int ofi_mr_share(struct net_mr *base, struct net_pd *to, struct net_mr **out)
{
	struct ofi_mr *mr = calloc(1, sizeof(*mr));
	int err;

	if (!mr)
		return -ENOMEM;
	mr->pd = container_of(to, struct ofi_pd, base);
	mr->fd = ofi_mr(base)->fd;
	mr->sealed = true;
	list_init(&mr->given);
	err = wire_make(mr, base->bytes, PROT_READ);
	if (err) {
		free(mr);
		return err;
	}
	mr->pd->regions++;
	*out = &mr->base;
	return 0;
}

void ofi_mr_free(struct net_mr *base)
{
	struct ofi_mr *mr = ofi_mr(base);

	key_close(&mr->write);
	key_close(&mr->read);
	ofi_given_close(mr, NET_READ | NET_WRITE);
	memory_drop(mr, base->bytes, net_mr_last(base));
	mr->pd->regions--;
	free(mr);
}
