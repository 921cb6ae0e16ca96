/*
 * The layout lock: a big-reader lock. A fault raises its own thread's flag and looks for a writer; a writer announces
 * itself and waits for all flags to fall. A reader writes no cache line that others write; a writer pays for that.
 */
#include <pthread.h>
#include <sched.h>
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/vm/vm.h"

static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static uint32_t writer;
static struct thread *helper;

void vm_lock_shared(struct thread *t)
{
	for (;;) {
		/* The flag must be seen before the writer's is read: sequential consistency, both sides. */
		__atomic_store_n(&t->in_fault, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&writer, __ATOMIC_SEQ_CST))
			return;
		__atomic_store_n(&t->in_fault, 0, __ATOMIC_RELEASE);
		pthread_mutex_lock(&writers); /* sleep until the writer is through */
		pthread_mutex_unlock(&writers);
	}
}

void vm_unlock_shared(struct thread *t)
{
	__atomic_store_n(&t->in_fault, 0, __ATOMIC_RELEASE);
}

static void wait_out(struct thread *t, void *arg)
{
	(void)arg;
	while (__atomic_load_n(&t->in_fault, __ATOMIC_SEQ_CST))
		sched_yield();
}

void vm_lock_helper(struct thread *t)
{
	pthread_mutex_lock(&writers);
	helper = t;
	pthread_mutex_unlock(&writers);
}

void vm_lock_exclusive(void)
{
	pthread_mutex_lock(&writers);
	__atomic_store_n(&writer, 1, __ATOMIC_SEQ_CST);
	threads_each(wait_out, NULL);
	if (helper && helper != thread_self())
		wait_out(helper, NULL);
}

void vm_unlock_exclusive(void)
{
	__atomic_store_n(&writer, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&writers);
}
