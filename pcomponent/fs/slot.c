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

int slots_open(char *addr)
{
	slots.addr = addr;
	return 0;
}

static void get(struct slot *s, uint32_t among)
{
	pthread_mutex_lock(&slots.lock);
	while (!(among & ~slots.busy))
		pthread_cond_wait(&slots.freed, &slots.lock);
	s->index = (unsigned)__builtin_ctz(among & ~slots.busy);
	slots.busy |= 1u << s->index;
	pthread_mutex_unlock(&slots.lock);
	s->buf = (uint64_t)s->index * IO_SLOT_BYTES;
	s->addr = slots.addr + s->buf;
}

void slot_get(struct slot *s)
{
	get(s, (1u << IMAGE_SLOT) - 1);
}

void slot_get_image(struct slot *s)
{
	get(s, 1u << IMAGE_SLOT);
}

void slot_put(const struct slot *s)
{
	pthread_mutex_lock(&slots.lock);
	slots.busy &= ~(1u << s->index);
	pthread_cond_broadcast(&slots.freed);
	pthread_mutex_unlock(&slots.lock);
}
