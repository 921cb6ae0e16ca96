/*
 * Thread blocks and their list; start and end of threads (threads.h).
 *
 * A new thread starts on a copy of its parent's trap frame: it loads its own FS base and returns through rt_sigreturn,
 * so that registers, vector state and signal mask are the parent's, as clone(2) wants it.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/stats.h"
#include "pcomponent/excache/excache.h"
#include "pcomponent/proc/futex.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/proc/robust.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/dispatch.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/vm.h"

#define PTHREAD_STACK_BYTES (64UL << 10)

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list threads = { &threads, &threads };
static uint32_t count;

/* The trap stack of a fresh area, or MAP_FAILED. */
static void *area_alloc(void)
{
	uint64_t start, end;
	char *p = mmap(NULL, 2 * TRAP_AREA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return p;
	start = ((uint64_t)p + TRAP_AREA_BYTES - 1) / TRAP_AREA_BYTES * TRAP_AREA_BYTES;
	end = start + TRAP_AREA_BYTES;
	if (start > (uint64_t)p)
		munmap(p, start - (uint64_t)p);
	munmap((void *)end, (uint64_t)p + 2 * TRAP_AREA_BYTES - end);
	if (mprotect((void *)start, TRAP_AREA_BYTES, PROT_READ | PROT_WRITE)) {
		munmap((void *)start, TRAP_AREA_BYTES);
		return MAP_FAILED;
	}
	return (void *)(start + PAGE_BYTES);
}

static void area_free(void *stack)
{
	munmap((char *)stack - PAGE_BYTES, TRAP_AREA_BYTES);
}

struct thread *thread_alloc(void)
{
	struct thread *t = aligned_alloc(64, (sizeof(*t) + 63) & ~63UL);

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	list_init(&t->link);
	t->altstack.ss_flags = SS_DISABLE;
	t->scratch = malloc(THREAD_SCRATCH_BYTES);
	t->trap_stack = area_alloc();
	if (!t->scratch || t->trap_stack == MAP_FAILED) {
		thread_free(t);
		return NULL;
	}
	return t;
}

void thread_free(struct thread *t)
{
	if (t->port)
		excache_port_close(t->port);
	if (t->trap_stack && t->trap_stack != MAP_FAILED)
		area_free(t->trap_stack);
	free(t->scratch);
	free(t);
}

void threads_add(struct thread *t)
{
	pthread_mutex_lock(&list_lock);
	list_add_tail(&threads, &t->link);
	if (++count > process_stats->threads_peak)
		process_stats->threads_peak = count;
	pthread_mutex_unlock(&list_lock);
}

uint32_t threads_remove(struct thread *t)
{
	uint32_t left;

	pthread_mutex_lock(&list_lock);
	list_del(&t->link);
	left = --count;
	pthread_mutex_unlock(&list_lock);
	return left;
}

void threads_forked(struct thread *t)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &threads) {
		struct thread *other = container_of(pos, struct thread, link);

		if (other == t)
			continue;
		list_del(&other->link);
		other->port = NULL; /* the ExCache's to forget */
		thread_free(other);
	}
	count = 1;
}

uint32_t threads_count(void)
{
	uint32_t n;

	pthread_mutex_lock(&list_lock);
	n = count;
	pthread_mutex_unlock(&list_lock);
	return n;
}

/* fork: the child finds the list whole. */
static void list_hold(void)
{
	pthread_mutex_lock(&list_lock);
}

static void list_release(void)
{
	pthread_mutex_unlock(&list_lock);
}

__attribute__((constructor)) static void list_at_fork(void)
{
	pthread_atfork(list_hold, list_release, list_release);
}

void threads_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *self = thread_self();
	struct list *pos, *tmp;

	pthread_mutex_lock(&list_lock);
	list_for_each_safe(pos, tmp, &threads) {
		struct thread *t = container_of(pos, struct thread, link);

		if (t != self)
			fn(t, arg);
	}
	pthread_mutex_unlock(&list_lock);
}

/* ---- start ---- */

struct start {
	struct thread *t;
	struct trap_frame *frame; /* a copy; the fp state behind it */
	uint64_t fs, parent_settid, child_settid;
	sem_t ready;
	int err, tid;
};

static void *thread_main(void *arg)
{
	struct start *s = arg;
	struct thread *t = s->t;
	struct trap_frame *frame = s->frame;
	uint64_t fs = s->fs, ours = SIGS_ALL_BLOCKED;

	t->tid = (int)syscall(SYS_gettid);
	s->err = trap_thread_enter(t);
	if (s->err) {
		sem_post(&s->ready);
		return NULL;
	}
	threads_add(t);
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &ours, 0, 8);
	/* The kernel would do this before the first instruction of the child. */
	if (s->parent_settid)
		uaccess_store32(s->parent_settid, (uint32_t)t->tid);
	if (s->child_settid)
		uaccess_store32(s->child_settid, (uint32_t)t->tid);
	t->start_frame = frame;
	s->tid = t->tid;
	sem_post(&s->ready);
	if (!__builtin_setjmp((void **)t->exit_jmp))
		trap_resume(frame, fs);
	t = thread_self();
	trap_thread_leave();
	free(t->start_frame);
	thread_free(t);
	return NULL;
}

/* The frame and the fp state it points to, in one block. */
static struct trap_frame *frame_copy(const struct trap_frame *f)
{
	const struct fp_sw *sw = (const struct fp_sw *)(f->regs.fpstate + FP_SW_OFFSET);
	uint32_t fp = sw->magic1 == FP_XSTATE_MAGIC ? sw->extended_size : FP_LEGACY_BYTES;
	size_t head = (sizeof(*f) + 63) & ~63UL;
	char *block = aligned_alloc(64, (head + fp + 63) & ~63UL);

	if (!block)
		return NULL;
	memcpy(block, f, sizeof(*f));
	memcpy(block + head, (const void *)f->regs.fpstate, fp);
	((struct trap_frame *)block)->regs.fpstate = (uint64_t)(block + head);
	return (struct trap_frame *)block;
}

int thread_start(const struct trap_frame *frame, uint64_t fs, uint64_t parent_settid, uint64_t child_settid,
		 uint64_t child_cleartid, struct thread *parent)
{
	struct start s = { .fs = fs, .parent_settid = parent_settid, .child_settid = child_settid };
	uint64_t all = ~0UL, old;
	pthread_attr_t attr;
	pthread_t id;
	int err;

	s.t = thread_alloc();
	s.frame = frame_copy(frame);
	if (!s.t || !s.frame) {
		err = ENOMEM;
		goto undo;
	}
	/* Returning through the frame also sets the host's alternate stack: the thread's own, not its parent's. */
	s.frame->uc_stack = (stack_t){ .ss_sp = s.t->trap_stack, .ss_size = THREAD_STACK_BYTES };
	s.t->clear_child_tid = child_cleartid;
	s.t->mask_virtual = parent->mask_virtual;
	sem_init(&s.ready, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* It takes no signal before it has a trap stack. */
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	err = pthread_create(&id, &attr, thread_main, &s);
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
	pthread_attr_destroy(&attr);
	if (err)
		goto undo;
	while (sem_wait(&s.ready))
		;
	err = -s.err;
	if (err)
		goto undo;
	return s.tid; /* the thread itself may be gone by now */
undo:
	free(s.frame);
	if (s.t)
		thread_free(s.t);
	return -err;
}

/* ---- end ---- */

static void clear_tid(uint64_t word)
{
	if (word && !uaccess_store32(word, 0))
		futex_wake_one(word);
}

void thread_exit(struct thread *t, int status)
{
	uint64_t all = ~0UL;

	robust_exit(t);
	clear_tid(t->clear_child_tid);
	/* From here on nothing of the program's is touched; the trap stack goes. */
	host4(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
	sent_thread_ends(t);
	if (threads_remove(t) == 0) {
		vm_ends();
		proc_exit(status);
	}
	if (t->port) {
		excache_port_close(t->port);
		t->port = NULL;
	}
	if (t->tid == getpid()) /* the first thread has no pthread start to return to */
		host1(SYS_exit, status);
	__builtin_longjmp((void **)t->exit_jmp, 1);
}
