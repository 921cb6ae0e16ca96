/*
 * For tests of the ExCache against the real host kernel: memory components (the real monitor, each in a process of its
 * own), an ExCache in this process, and a SIGBUS handler that does what the dispatcher's does, in plain C.
 */
#ifndef ASHLAR_TESTS_EXCACHE_RACK_H
#define ASHLAR_TESTS_EXCACHE_RACK_H
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/rpc.h"
#include "ashlar/stats.h"
#include "mcomponent/mcomponent.h"
#include "pcomponent/excache/excache.h"

#define RACK_MEMORY_MAX 4
#define RACK_PID 77u

/* ---- memory components ---- */

struct rack {
	struct net *net;
	unsigned n;
	pid_t pid[RACK_MEMORY_MAX];
	struct excache_memory memory[RACK_MEMORY_MAX];
	struct stats_page *stats;
	struct mcomponent_stat *told; /* of each component, a few ms old; shared with its process */
};

/* The monitor's numbers, where the test sees them. */
struct rack_teller {
	struct loop_timer timer;
	struct loop *loop;
	struct mcomponent *m;
	struct mcomponent_stat *told;
};

static inline void rack_tell(void *arg)
{
	struct rack_teller *t = arg;

	mcomponent_stat(t->m, t->told);
	loop_timer_set(t->loop, &t->timer, loop_now(t->loop) + 2 * NS_PER_MS);
}

static inline void rack_accepted(void *arg, struct net_conn *conn)
{
	mcomponent_accepted(arg, conn);
}

static inline void rack_memory_main(uint64_t bytes, const struct cap *cap, int ready, struct mcomponent_stat *told)
{
	static struct rack_teller teller;
	static struct rpc_counters counters;
	struct g2x_admit_req admit = { .cap = *cap, .bytes = bytes, .pid = RACK_PID };
	struct mcomponent_config config = { .bytes = bytes, .counters = &counters };
	struct net_options opt = { 0 };
	struct net_listener *l;
	struct mcomponent *m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_open(&opt.loop) || net_open("local", &opt, &config.net))
		_exit(1);
	config.loop = opt.loop;
	if (mcomponent_open(&config, &m) || mcomponent_admit(m, &admit, NULL, 0) ||
	    net_listen(config.net, "local:auto", rack_accepted, m, &l))
		_exit(1);
	if (write(ready, net_listener_addr(l), ADDR_BYTES) != ADDR_BYTES)
		_exit(1);
	close(ready);
	teller = (struct rack_teller){ { .fn = rack_tell, .arg = &teller }, opt.loop, m, told };
	rack_tell(&teller);
	loop_run(opt.loop);
	_exit(1);
}

static inline void rack_add_memory(struct rack *r, uint64_t bytes)
{
	struct excache_memory *m = &r->memory[r->n];
	int p[2];

	m->cap.w[0] = 0x1234 + r->n;
	m->bytes = bytes;
	snprintf(m->name, sizeof(m->name), "mem%u", r->n);
	if (!r->told)
		r->told = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->told == MAP_FAILED || pipe(p))
		abort();
	fflush(NULL);
	r->pid[r->n] = fork();
	if (r->pid[r->n] == 0) {
		close(p[0]);
		rack_memory_main(bytes, &m->cap, p[1], &r->told[r->n]);
	}
	close(p[1]);
	if (read(p[0], m->addr, ADDR_BYTES) != ADDR_BYTES)
		abort();
	close(p[0]);
	r->n++;
}

/* ---- the ExCache ---- */

static char rack_said[4096]; /* what it told the user */

static inline void rack_message(const char *fmt, ...)
{
	size_t n = strlen(rack_said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rack_said + n, sizeof(rack_said) - n, fmt, ap);
	va_end(ap);
	strncat(rack_said, "\n", sizeof(rack_said) - strlen(rack_said) - 1);
}

/* What the dispatcher gives as peek, or NULL: it is to make no difference but in time. */
static int (*rack_peek)(void *dst, uint64_t src, size_t n);
static struct {
	uint64_t start, end;
} rack_unreadable; /* the one range that the program may not read */

static inline int rack_peek_plain(void *dst, uint64_t src, size_t n)
{
	if (src >= rack_unreadable.start && src < rack_unreadable.end)
		return -EFAULT;
	memcpy(dst, (const void *)(uintptr_t)src, n);
	return 0;
}

static inline int rack_open(struct rack *r, uint64_t budget, const char *policy)
{
	struct net_options opt = { .fd_floor = 500 };
	struct excache_config c = {
		.budget_bytes = budget,
		.pid = RACK_PID,
		.n_memory = r->n,
		.memory = r->memory,
		.fd_floor = 500,
		.policy = policy,
		.peek = rack_peek,
		.message = rack_message,
	};

	rack_said[0] = '\0';
	r->stats = calloc(1, sizeof(*r->stats));
	if (!r->stats || net_open("local", &opt, &r->net))
		abort();
	c.net = r->net;
	c.stats = r->stats;
	return excache_open(&c);
}

static inline void rack_end(struct rack *r)
{
	if (r->net)
		net_close(r->net);
	for (unsigned i = 0; i < r->n; i++) {
		kill(r->pid[i], SIGKILL);
		waitpid(r->pid[i], NULL, 0);
	}
	free(r->stats);
	if (r->told)
		munmap(r->told, PAGE_BYTES);
	memset(r, 0, sizeof(*r));
}

/* ---- program memory and its faults ---- */

#define RACK_REGIONS 8
static struct {
	uint64_t start, end;
} rack_region[RACK_REGIONS];
static pthread_rwlock_t rack_layout = PTHREAD_RWLOCK_INITIALIZER;
static __thread struct excache_port *rack_port;
static __thread sigjmp_buf *rack_catch; /* where a fault that cannot be resolved goes; NULL: abort */
static __thread int rack_err;

static inline void rack_sigbus(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uint64_t addr = (uint64_t)(uintptr_t)info->si_addr;
	bool write = uc->uc_mcontext.gregs[REG_ERR] & 2;
	int err = -EFAULT, saved = errno;

	(void)sig;
	pthread_rwlock_rdlock(&rack_layout);
	if (!rack_port && excache_port_open(&rack_port))
		abort();
	for (unsigned i = 0; i < RACK_REGIONS; i++)
		if (addr >= rack_region[i].start && addr < rack_region[i].end)
			err = excache_fault(rack_port, addr, write, rack_region[i].start, rack_region[i].end);
	pthread_rwlock_unlock(&rack_layout);
	errno = saved;
	if (!err)
		return;
	rack_err = err;
	if (!rack_catch) {
		fprintf(stderr, "fault at %#lx: %s\n%s", (unsigned long)addr, strerror(-err), rack_said);
		abort();
	}
	siglongjmp(*rack_catch, 1);
}

static inline void rack_catch_faults(void)
{
	struct sigaction sa = { .sa_sigaction = rack_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGBUS, &sa, NULL);
}

static inline void rack_port_done(void)
{
	excache_port_close(rack_port);
	rack_port = NULL;
}

static inline void rack_region_set(unsigned i, void *p, uint64_t bytes)
{
	rack_region[i].start = (uint64_t)(uintptr_t)p;
	rack_region[i].end = rack_region[i].start + bytes;
}

/* bytes of fresh program memory, not registered */
static inline void *rack_map(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	rack_catch_faults(); /* here, as cmocka takes SIGBUS for itself at the begin of each test */
	if (p == MAP_FAILED || madvise(p, bytes, MADV_NOHUGEPAGE))
		abort();
	return p;
}

static inline void *rack_map_registered(unsigned region, uint64_t bytes)
{
	void *p = rack_map(bytes);
	int err;

	rack_region_set(region, p, bytes);
	err = excache_register(rack_region[region].start, rack_region[region].end);
	if (err) {
		fprintf(stderr, "excache_register: %s\n", strerror(-err));
		abort();
	}
	return p;
}

/* Pages of [p, p+bytes) that the host kernel says are there. */
static inline uint64_t rack_present(const void *p, uint64_t bytes)
{
	unsigned char *vec = malloc(bytes / PAGE_BYTES);
	uint64_t n = 0;

	if (!vec || mincore((void *)(uintptr_t)p, bytes, vec))
		abort();
	for (uint64_t i = 0; i < bytes / PAGE_BYTES; i++)
		n += vec[i] & 1;
	free(vec);
	return n;
}

static inline void rack_unmap(unsigned region)
{
	uint64_t start = rack_region[region].start, end = rack_region[region].end;

	pthread_rwlock_wrlock(&rack_layout);
	munmap((void *)(uintptr_t)start, end - start);
	excache_forget(start, end);
	rack_region[region].start = rack_region[region].end = 0;
	pthread_rwlock_unlock(&rack_layout);
}

#endif
