/* Monitor: the export, and who may come: processes admitted by the gmm, until it revokes them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "scomponent/resolve.h"
#include "scomponent/state.h"

struct process *process_find(struct scomponent *s, uint32_t pid)
{
	struct list *l;

	for (l = s->processes.next; l != &s->processes; l = l->next)
		if (container_of(l, struct process, link)->pid == pid)
			return container_of(l, struct process, link);
	return NULL;
}

int scomponent_admit(struct scomponent *s, const struct g2x_admit_req *req)
{
	struct process *p;

	p = process_find(s, req->pid);
	if (p && cap_equal(&p->cap, &req->cap))
		p->admitted_ns = loop_now(s->loop); /* a new gmm knows it: no orphan any more */
	if (p)
		return -EEXIST;
	if (!identity_can(req->uid)) {
		log_error(
			"process %u of user %u refused: this storage component runs as user %u and serves only that user",
			req->pid, req->uid, geteuid());
		return -EPERM;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->cap = req->cap;
	p->pid = req->pid;
	p->weight = req->weight;
	p->uid = req->uid;
	p->admitted_ns = p->idle_ns = loop_now(s->loop);
	p->s = s;
	list_init(&p->members);
	list_init(&p->passed);
	p->gid = req->gid;
	list_add_tail(&s->processes, &p->link);
	return 0;
}

static void process_free(struct process *p)
{
	members_left(p);
	passed_end(p);
	list_del(&p->link);
	free(p);
}

void scomponent_revoke(struct scomponent *s, uint32_t pid)
{
	struct process *p = process_find(s, pid);
	struct list *l, *next;

	if (!p)
		return;
	list_for_each_safe(l, next, &s->clients.all) {
		struct client *c = container_of(l, struct client, base.link);

		if (c->process == p || c->guarded == p)
			client_close(c);
	}
	process_free(p);
}

static void orphans_due(void *arg)
{
	struct scomponent *s = arg;
	uint64_t now = loop_now(s->loop);
	struct list *l, *next;
	bool left = false;

	list_for_each_safe(l, next, &s->processes) {
		struct process *p = container_of(l, struct process, link);

		if (p->admitted_ns > s->lost_ns)
			continue;
		if (!p->clients && now - p->idle_ns >= ORPHAN_MS * NS_PER_MS)
			scomponent_revoke(s, p->pid);
		else
			left = true;
	}
	if (left)
		loop_timer_set(s->loop, &s->orphans, now + ORPHAN_MS * NS_PER_MS);
}

/* Not at once: a process that calls execve closes its connection and comes with a new one. */
void scomponent_gmm_lost(struct scomponent *s)
{
	s->lost_ns = loop_now(s->loop);
	s->orphans.fn = orphans_due;
	s->orphans.arg = s;
	loop_timer_set(s->loop, &s->orphans, s->lost_ns + ORPHAN_MS * NS_PER_MS);
}

void scomponent_usage(const struct scomponent *s, struct scomponent_usage *u)
{
	const struct list *l;

	*u = (struct scomponent_usage){ .handles = s->handles, .refused = s->refused };
	for (l = s->processes.next; l != &s->processes; l = l->next)
		u->processes++;
	for (l = s->clients.all.next; l != &s->clients.all; l = l->next)
		u->clients += !!container_of(l, struct client, base.link)->process;
}

void scomponent_space(const struct scomponent *s, uint64_t *bytes, uint64_t *used_bytes)
{
	struct statvfs v;

	*bytes = *used_bytes = 0;
	if (fstatvfs(s->root, &v))
		return;
	*bytes = (uint64_t)v.f_blocks * v.f_frsize;
	*used_bytes = *bytes - (uint64_t)v.f_bfree * v.f_frsize;
}

/* One descriptor per open file of every process: take all that the machine gives. */
static void files_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int root_open(struct scomponent *s, const char *path)
{
	char link[PROC_FD_BYTES];
	ssize_t n;

	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0)
		return -errno;
	proc_fd(link, s->root);
	n = readlink(link, s->root_path, sizeof(s->root_path) - 1);
	if (n < 0) { /* /proc is needed for every path */
		close(s->root);
		return -errno;
	}
	s->root_path[n] = '\0';
	s->root_len = n == 1 ? 0 : (size_t)n;
	return 0;
}

int scomponent_open(struct loop *loop, struct net *net, struct rpc_counters *counters,
		    const struct scomponent_config *cfg, struct scomponent **out)
{
	struct scomponent *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->net = net;
	s->readonly = cfg->readonly;
	list_init(&s->processes);
	locks_init(&s->locks);
	texts_init(&s->texts);
	err = peers_open(&s->clients, loop, KIND_STORAGE, &client_service, counters);
	if (err)
		goto state;
	err = root_open(s, cfg->root);
	if (err) {
		log_error("cannot export %s: %s", cfg->root, strerror(-err));
		goto peers;
	}
	err = net_pd_open(net, &s->pd);
	if (err)
		goto root;
	err = net_mr_alloc(s->pd, IO_SLOT_BYTES, true, &s->io);
	if (err)
		goto pd;
	files_raise();
	umask(0); /* modes arrive with the process's umask applied */
	*out = s;
	return 0;
pd:
	net_pd_close(s->pd);
root:
	close(s->root);
peers:
	peers_close(&s->clients);
state:
	free(s);
	return err;
}

void scomponent_close(struct scomponent *s)
{
	struct list *l, *next;

	loop_timer_del(s->loop, &s->orphans);
	list_for_each_safe(l, next, &s->clients.all)
		client_close(container_of(l, struct client, base.link));
	peers_close(&s->clients);
	list_for_each_safe(l, next, &s->processes)
		process_free(container_of(l, struct process, link));
	identity_close(&s->identity);
	net_mr_free(s->io);
	net_pd_close(s->pd);
	close(s->root);
	free(s);
}
