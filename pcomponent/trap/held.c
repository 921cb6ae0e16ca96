/* See held.h. A slot's state carries a count, so that who copies an information knows that it was one all the time. */
#include <string.h>
#include "pcomponent/trap/frame.h"
#include "pcomponent/trap/held.h"

enum { HELD_EMPTY, HELD_FILLING, HELD_FULL, HELD_STATES = 4 };

static uint64_t waiting; /* slots that are full, or are being filled */

static struct held_slot *slot_of(struct held *h, int sig)
{
	return &h->slot[sig == SIGSYS ? 0 : sig == SIGSEGV ? 1 : 2];
}

bool held_put(struct held *h, const siginfo_t *info)
{
	struct held_slot *s = slot_of(h, info->si_signo);
	uint64_t was = __atomic_load_n(&s->state, __ATOMIC_RELAXED), next;

	do {
		if (was % HELD_STATES != HELD_EMPTY)
			return false;
		next = was + HELD_STATES + HELD_FILLING;
	} while (!__atomic_compare_exchange_n(&s->state, &was, next, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	(void)__atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
	memcpy(&s->info, info, sizeof(s->info));
	__atomic_store_n(&s->state, next - HELD_FILLING + HELD_FULL, __ATOMIC_SEQ_CST);
	return true;
}

bool held_take(struct held *h, int sig, siginfo_t *info)
{
	struct held_slot *s = slot_of(h, sig);
	uint64_t was = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);

	do {
		if (was % HELD_STATES != HELD_FULL)
			return false;
		memcpy(info, &s->info, sizeof(*info));
	} while (!__atomic_compare_exchange_n(&s->state, &was, was - HELD_FULL, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	(void)__atomic_fetch_sub(&waiting, 1, __ATOMIC_SEQ_CST);
	return true;
}

uint64_t held_mask(struct held *h)
{
	static const int sigs[HELD_SIGNALS] = { SIGSYS, SIGSEGV, SIGBUS };
	uint64_t mask = 0;

	for (unsigned i = 0; i < HELD_SIGNALS; i++)
		if (__atomic_load_n(&slot_of(h, sigs[i])->state, __ATOMIC_SEQ_CST) % HELD_STATES == HELD_FULL)
			mask |= SIG_BIT(sigs[i]);
	return mask;
}

bool held_any(void)
{
	return __atomic_load_n(&waiting, __ATOMIC_SEQ_CST) != 0;
}

void held_clear(struct held *h)
{
	memset(h, 0, sizeof(*h));
}

void held_none(void)
{
	__atomic_store_n(&waiting, 0, __ATOMIC_SEQ_CST);
}
