/* Slabs: see slabs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/size.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/pagemap.h"
#include "pcomponent/excache/slabs.h"

#define SLAB_FRAMES_LEAST 16u /* smallest slab that is asked for when a component is nearly full */
#define SLAB_AHEAD_MS 200u    /* deadline for a slab that is not needed yet */
#define SLAB_GET_MS 2000u     /* deadline while there is another component to ask */
#define FULL_NS NS_PER_S
#define SILENT_NS (10 * NS_PER_S) /* one that did not answer is not asked again for so long */

struct slabs slabs;
static uint32_t turn; /* the component that is asked next */

int slabs_open(void)
{
	slabs.at = mmap(NULL, SLABS_MAX * sizeof(*slabs.at), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slabs.at == MAP_FAILED) {
		slabs.at = NULL;
		return -ENOMEM;
	}
	slabs.end = 1;
	return 0;
}

static struct count *count_of(const struct slab *s)
{
	return s->sealed ? &slabs.sealed : &slabs.open;
}

void slab_count(const struct slab *s, bool here)
{
	struct count *c = count_of(s);
	uint32_t in_use = s->frames - s->free;

	c->total += here ? s->frames : -(uint64_t)s->frames;
	c->used += here ? in_use : -(uint64_t)in_use;
	c->slabs += here ? 1u : -1u;
	c->whole += s->free < s->frames ? 0 : here ? 1u : -1u;
	if (!s->sealed)
		slabs.place[s->component].open += here ? in_use : -(uint64_t)in_use;
}

uint64_t slabs_used(void)
{
	return slabs.open.used + slabs.sealed.used;
}

void slabs_usage_changed(void)
{
	uint64_t n = 0;

	STAT_SET(excache.stats->remote_bytes, slabs_used() * PAGE_BYTES);
	stat_max(&excache.stats->remote_peak_bytes, slabs_used() * PAGE_BYTES);
	for (uint32_t i = 0; i < memory_count(); i++) {
		STAT_SET(excache.stats->component_bytes[i], slabs.place[i].used * PAGE_BYTES);
		n += slabs.place[i].slabs;
	}
	STAT_SET(excache.stats->slabs, n);
}

static void slab_free(uint32_t i)
{
	struct slab *s = slabs.at[i];

	if (s->remote)
		net_remote_close(s->remote);
	slab_count(s, false);
	slabs.place[s->component].slabs--;
	slabs.at[i] = NULL;
	free(s);
}

void slabs_close(void)
{
	if (!slabs.at)
		return;
	for (uint32_t i = 1; i < slabs.end; i++)
		if (slabs.at[i])
			slab_free(i);
	(void)munmap(slabs.at, SLABS_MAX * sizeof(*slabs.at));
	slabs = (struct slabs){ .at = NULL };
	turn = 0;
}

/* ---- getting slabs ---- */

static int slab_index(void)
{
	for (uint32_t i = 1; i < slabs.end; i++)
		if (!slabs.at[i])
			return (int)i;
	return slabs.end < SLABS_MAX ? (int)slabs.end++ : -ENOMEM;
}

/* Make a slab of what the component gave. Its index, or -errno. */
static int slab_add(uint32_t component, const struct p2m_slab_get_rep *rep)
{
	uint32_t words = (rep->frames + 63) / 64;
	struct slab *s = calloc(1, sizeof(*s) + words * sizeof(uint64_t));
	int i = s ? slab_index() : -ENOMEM, err = i < 0 ? i : 0;

	if (!err)
		err = memory_remote_open(component, &rep->key, rep->frames * PAGE_BYTES, &s->remote);
	if (err) {
		free(s);
		return err;
	}
	s->id = rep->slab;
	s->component = component;
	s->frames = s->free = s->run_max = rep->frames;
	if (rep->frames % 64) /* what lies behind the end is in use for ever */
		s->map[words - 1] = ~0ULL << rep->frames % 64;
	slabs.at[i] = s;
	slab_count(s, true);
	slabs.place[component].slabs++;
	return i;
}

/* Slabs grow with what is in use of them, so that their number stays small; a nearly full component is asked for less. */
static uint32_t slab_frames_wanted(uint32_t component)
{
	uint32_t max = memory_slab_frames_max(component), n = SLAB_FRAMES_FIRST;

	while (n * 2 <= SLAB_FRAMES_MAX && n * 8 < slabs.place[component].open)
		n *= 2;
	return max && n > max ? max : n;
}

static int slab_get(uint32_t component, uint32_t deadline_ms)
{
	struct p2m_slab_get_rep rep;
	struct p2m_slab_get_req req = { .frames = slab_frames_wanted(component) };
	int err;

	for (;; req.frames /= 2) {
		err = memory_call(component, P2M_SLAB_GET, &req, NULL, 0, deadline_ms, &rep);
		if (err != -ENOMEM || req.frames / 2 < SLAB_FRAMES_LEAST)
			break;
	}
	if (err == -ENOMEM)
		slabs.place[component].full_until_ns = clock_ns() + FULL_NS;
	if (err == -ETIMEDOUT)
		slabs.place[component].silent_until_ns = clock_ns() + SILENT_NS;
	if (!err && (rep.frames == 0 || rep.frames > SLAB_FRAMES_MAX || rep.frames != req.frames))
		err = -EPROTO;
	return err ? err : slab_add(component, &rep);
}

/* How badly a slab is needed. LAST: all have been asked but those that did not answer lately. */
enum need { AHEAD, NOW, LAST };

static bool place_askable(uint32_t component, uint64_t now, enum need need)
{
	const struct place *p = &slabs.place[component];

	return !memory_dead(component) && (need == LAST || p->silent_until_ns <= now) &&
	       (need != AHEAD || p->full_until_ns <= now);
}

void slabs_say_full(void)
{
	char text[512], size[24];
	size_t n = 0;

	if (slabs.said_full)
		return;
	slabs.said_full = true;
	text[0] = '\0';
	for (uint32_t i = 0; i < memory_count() && n + NAME_BYTES + 40 < sizeof(text); i++) {
		const char *state = memory_dead(i) ? "gone" : slabs.place[i].full_until_ns ? "full" : "silent";

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s with %s of this process", n ? ", " : "",
				      memory_name(i), state, size_format(slabs.place[i].used * PAGE_BYTES, size));
	}
	excache.message("memory of the rack is exhausted: %s", text);
}

/* A slab from the next component that has one. Its index, or -ENOMEM. */
static int slab_ask(enum need need)
{
	uint64_t now = clock_ns();
	uint32_t n = memory_count(), askable = 0;

	for (uint32_t i = 0; i < n; i++)
		askable += place_askable(i, now, need);
	for (uint32_t tried = 0; tried < n; tried++) {
		uint32_t c = turn++ % n;
		int i;

		if (!place_askable(c, now, need))
			continue;
		i = slab_get(c, need == AHEAD ? SLAB_AHEAD_MS : askable > 1 ? SLAB_GET_MS : TRANSFER_LIMIT_MS);
		if (i > 0)
			return i;
		askable--;
	}
	return -ENOMEM;
}

/* Needed now: before there is none, those are asked that did not answer lately: they may only be slow. */
int slabs_get(bool patient)
{
	int i = slab_ask(patient ? NOW : AHEAD);

	return i < 0 && patient ? slab_ask(LAST) : i;
}

bool slabs_all_dead(void)
{
	for (uint32_t i = 0; i < memory_count(); i++)
		if (!memory_dead(i))
			return false;
	return true;
}

/* ---- giving slabs back ---- */

/* Give slab i back. Its page map entries must have reached the component first. */
static int slab_put(uint32_t i)
{
	struct slab *s = slabs.at[i];
	struct p2m_slab_put_req req = { .slab = s->id };
	int err = 0;

	if (!memory_dead(s->component)) {
		err = pagemap_flush(s->component);
		if (!err)
			err = memory_post(s->component, P2M_SLAB_PUT, &req, NULL, 0);
		if (err == -EAGAIN)
			return err;
		slabs.place[s->component].full_until_ns = 0;
		slabs.said_full = false;
	}
	slab_free(i);
	return 0;
}

/* Is it of no use? Sealed ones never take anything again; of the open ones some are kept. */
static bool slab_spare(const struct slab *s, uint64_t reserve)
{
	if (s->free < s->frames)
		return false;
	return s->sealed || (slabs.open.total - slabs.open.used > reserve &&
			     slabs.open.total - slabs.open.used - s->frames >= reserve / 2);
}

int slabs_trim(uint64_t reserve)
{
	for (uint32_t i = 1; i < slabs.end; i++) {
		if (slabs.sealed.whole == 0 && (slabs.open.whole == 0 || slabs.open.total - slabs.open.used <= reserve))
			break;
		if (slabs.at[i] && slab_spare(slabs.at[i], reserve) && slab_put(i) == -EAGAIN)
			return -EAGAIN;
	}
	return 0;
}
