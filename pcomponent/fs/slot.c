/* Slots of the io buffer: see client.h. */
#include <pthread.h>
#include "pcomponent/fs/client.h"

#define IMAGE_SLOT (IO_SLOTS - 1)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	char *addr;
	uint32_t busy; /* bit per slot */
} slots = { .lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };

_Static_assert(IO_SLOTS >= 2 && IO_SLOTS <= 32, "one bit per slot, one of them for images");

/* The buffer of a process that was forked is made when it is needed. */
static int buffer_make(void)
{
	return __atomic_load_n(&slots.addr, __ATOMIC_ACQUIRE) ? 0 : client_buffer();
}

void slots_open(char *addr)
{
	__atomic_store_n(&slots.addr, addr, __ATOMIC_RELEASE);
}

static int get(struct slot *s, uint32_t among)
{
	int err = buffer_make();

	if (err)
		return err;
	pthread_mutex_lock(&slots.lock);
	while (!(among & ~slots.busy))
		pthread_cond_wait(&slots.freed, &slots.lock);
	s->index = (unsigned)__builtin_ctz(among & ~slots.busy);
	slots.busy |= 1u << s->index;
	pthread_mutex_unlock(&slots.lock);
	s->buf = (uint64_t)s->index * IO_SLOT_BYTES;
	s->addr = slots.addr + s->buf;
	return 0;
}

int slot_get(struct slot *s)
{
	return get(s, (1u << IMAGE_SLOT) - 1);
}

int slot_get_image(struct slot *s)
{
	return get(s, 1u << IMAGE_SLOT);
}

void slot_put(const struct slot *s)
{
	pthread_mutex_lock(&slots.lock);
	slots.busy &= ~(1u << s->index);
	pthread_cond_broadcast(&slots.freed);
	pthread_mutex_unlock(&slots.lock);
}

void slots_lock(void)
{
	pthread_mutex_lock(&slots.lock);
}

void slots_unlock(void)
{
	pthread_mutex_unlock(&slots.lock);
}

void slots_child(void)
{
	pthread_mutex_init(&slots.lock, NULL);
	pthread_cond_init(&slots.freed, NULL);
	slots.addr = NULL;
	slots.busy = 0;
}
