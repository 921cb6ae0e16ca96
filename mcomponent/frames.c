/* Frames as numbers: see frames.h. Invariant: granted + reserved <= total. */
#include <errno.h>
#include "ashlar/base/log.h"
#include "mcomponent/frames.h"

static uint64_t mframes_free(const struct frames *f)
{
	BUG_ON(f->granted + f->reserved > f->total);
	return f->total - f->granted - f->reserved;
}

int mframes_promise(struct frames *f, struct account *a, uint64_t quota)
{
	a->granted = 0;
	a->quota = quota < f->total ? quota : f->total;
	a->promised = quota < f->total;
	if (!a->promised)
		return 0;
	if (quota > mframes_free(f))
		return -ENOMEM;
	f->reserved += quota;
	return 0;
}

void mframes_promise_end(struct frames *f, struct account *a)
{
	BUG_ON(a->granted);
	if (a->promised)
		f->reserved -= a->quota;
	a->quota = 0;
	a->promised = false;
}

int mframes_take(struct frames *f, struct account *a, uint64_t n)
{
	if (n > a->quota - a->granted)
		return a->promised ? -EDQUOT : -ENOMEM;
	if (a->promised)
		f->reserved -= n;
	else if (n > mframes_free(f))
		return -ENOMEM;
	f->granted += n;
	a->granted += n;
	return 0;
}

void mframes_give(struct frames *f, struct account *a, uint64_t n)
{
	BUG_ON(n > a->granted || n > f->granted);
	a->granted -= n;
	f->granted -= n;
	if (a->promised)
		f->reserved += n;
}
