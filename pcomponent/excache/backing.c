/*
 * See backing.h. Next fit: taking goes on where the last run ended, so that a batch lies in one piece and freed frames
 * gather into runs until it comes round again. Short runs are passed over while less than a quarter of all frames is
 * free: rather a new slab than many small transfers.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "pcomponent/excache/core.h"
#include "pcomponent/excache/backing.h"
#include "pcomponent/excache/memory.h"
#include "pcomponent/excache/pagemap.h"

#define RUN_GOOD 16u /* frames in a row that are worth one transfer */
#define RESERVE_FRAMES 128u
#define SLAB_FRAMES_FIRST 256u /* small at first, so that a small process uses all its components */
#define SLAB_FRAMES_LEAST 16u  /* smallest slab that is asked for when a component is nearly full */
#define SLAB_AHEAD_MS 200u     /* deadline for a slab that is not needed yet */
#define SLAB_GET_MS 2000u      /* deadline while there is another component to ask */
#define FULL_NS NS_PER_S
#define SILENT_NS (10 * NS_PER_S) /* one that did not answer is not asked again for so long */

struct slab {
	uint64_t id;
	struct net_remote *remote; /* atomic; NULL: shared by a fork, and not used yet */
	bool sealed;		   /* by a fork */
	bool leaving;		   /* its frames are to be moved away */
	uint32_t component, frames, free;
	uint32_t run_max; /* no free run is longer (it may be shorter) */
	uint64_t map[];	  /* bit set: in use */
};

/* What we know of a component as a place for slabs. */
struct place {
	uint64_t used; /* frames in use */
	uint64_t open; /* of those, in slabs that are open */
	uint64_t slabs;
	uint64_t silent_until_ns;
	uint64_t full_until_ns; /* said -ENOMEM: only asked before this when there is no other way */
};

static struct slab **slabs; /* by index; 0 is never used */
static uint32_t slabs_end;  /* all below it were used once */
static uint32_t cursor;	    /* slab and frame at which the search goes on */
static uint32_t cursor_frame;
static struct place place[PROCESS_MEMORY_MAX];
static uint32_t turn;
/* Frames of slabs, open or sealed: all, those in use; and how many slabs have none in use. */
struct count {
	uint64_t total, used;
	uint32_t slabs, whole;
};
static struct count open, sealed;
static bool said_full;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER; /* of remotes */

int backing_open(void)
{
	slabs = mmap(NULL, SLABS_MAX * sizeof(*slabs), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slabs == MAP_FAILED) {
		slabs = NULL;
		return -ENOMEM;
	}
	slabs_end = cursor = 1;
	return 0;
}

static struct count *count_of(const struct slab *s)
{
	return s->sealed ? &sealed : &open;
}

static void slab_count(const struct slab *s, bool here)
{
	struct count *c = count_of(s);
	uint32_t in_use = s->frames - s->free;

	c->total += here ? s->frames : -(uint64_t)s->frames;
	c->used += here ? in_use : -(uint64_t)in_use;
	c->slabs += here ? 1u : -1u;
	c->whole += s->free < s->frames ? 0 : here ? 1u : -1u;
	if (!s->sealed)
		place[s->component].open += here ? in_use : -(uint64_t)in_use;
}

static uint64_t used_all(void)
{
	return open.used + sealed.used;
}

static void slab_free(uint32_t i)
{
	struct slab *s = slabs[i];

	if (s->remote)
		net_remote_close(s->remote);
	slab_count(s, false);
	place[s->component].slabs--;
	slabs[i] = NULL;
	free(s);
}

void backing_close(void)
{
	if (!slabs)
		return;
	for (uint32_t i = 1; i < slabs_end; i++)
		if (slabs[i])
			slab_free(i);
	(void)munmap(slabs, SLABS_MAX * sizeof(*slabs));
	slabs = NULL;
	memset(place, 0, sizeof(place));
	open = sealed = (struct count){ .total = 0 };
	turn = cursor_frame = 0;
	said_full = false;
}

/* ---- getting slabs ---- */

static int slab_index(void)
{
	for (uint32_t i = 1; i < slabs_end; i++)
		if (!slabs[i])
			return (int)i;
	return slabs_end < SLABS_MAX ? (int)slabs_end++ : -ENOMEM;
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
	slabs[i] = s;
	slab_count(s, true);
	place[component].slabs++;
	return i;
}

/* Slabs grow with what is in use of them, so that their number stays small; a nearly full component is asked for less. */
static uint32_t slab_frames_wanted(uint32_t component)
{
	uint32_t max = memory_slab_frames_max(component), n = SLAB_FRAMES_FIRST;

	while (n * 2 <= SLAB_FRAMES_MAX && n * 8 < place[component].open)
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
		place[component].full_until_ns = clock_ns() + FULL_NS;
	if (err == -ETIMEDOUT)
		place[component].silent_until_ns = clock_ns() + SILENT_NS;
	if (!err && (rep.frames == 0 || rep.frames > SLAB_FRAMES_MAX || rep.frames != req.frames))
		err = -EPROTO;
	return err ? err : slab_add(component, &rep);
}

/* How badly a slab is needed. LAST: all have been asked but those that did not answer lately. */
enum need { AHEAD, NOW, LAST };

static bool place_askable(uint32_t component, uint64_t now, enum need need)
{
	const struct place *p = &place[component];

	return !memory_dead(component) && (need == LAST || p->silent_until_ns <= now) &&
	       (need != AHEAD || p->full_until_ns <= now);
}

static void say_full(void)
{
	char text[512], size[24];
	size_t n = 0;

	if (said_full)
		return;
	said_full = true;
	text[0] = '\0';
	for (uint32_t i = 0; i < memory_count() && n + NAME_BYTES + 40 < sizeof(text); i++) {
		const char *state = memory_dead(i) ? "gone" : place[i].full_until_ns ? "full" : "silent";

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s with %s of this process", n ? ", " : "",
				      memory_name(i), state, size_format(place[i].used * PAGE_BYTES, size));
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

/* patient: it is needed now. Before there is none, those are asked that did not answer lately: they may only be slow. */
static int slab_get_any(bool patient)
{
	int i = slab_ask(patient ? NOW : AHEAD);

	return i < 0 && patient ? slab_ask(LAST) : i;
}

static bool all_dead(void)
{
	for (uint32_t i = 0; i < memory_count(); i++)
		if (!memory_dead(i))
			return false;
	return true;
}

/* ---- taking and putting frames ---- */

/* Free frames in a row from f on, counted up to max. */
static uint32_t run_length(const struct slab *s, uint32_t f, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && f + n < s->frames) {
		uint32_t at = f + n, left = 64 - at % 64;
		uint64_t word = s->map[at / 64] >> at % 64;
		uint32_t free = word ? (uint32_t)__builtin_ctzll(word) : left;

		n += free;
		if (free < left)
			break;
	}
	return n < max ? n : max;
}

/* The first free frame at or after f; the slab's end when there is none. */
static uint32_t frame_free_next(const struct slab *s, uint32_t f)
{
	while (f < s->frames) {
		uint64_t free = ~s->map[f / 64] >> f % 64;

		if (free)
			return f + (uint32_t)__builtin_ctzll(free);
		f = (f / 64 + 1) * 64;
	}
	return s->frames;
}

/* The first free run at or after *f with at least `least` frames, looked at up to `want`: its length, 0 if none. */
static uint32_t slab_run(const struct slab *s, uint32_t *f, uint32_t least, uint32_t want)
{
	uint32_t at = *f;

	while ((at = frame_free_next(s, at)) < s->frames) {
		uint32_t n = run_length(s, at, want);

		if (n >= least) {
			*f = at;
			return n;
		}
		at += n + 1;
	}
	return 0;
}

/* Search all slabs once, from the cursor on, and the part before it last. */
static uint32_t run_find(uint32_t least, uint32_t want)
{
	for (uint32_t k = 0; k <= slabs_end; k++) {
		struct slab *s = cursor < slabs_end ? slabs[cursor] : NULL;
		bool from_start = cursor_frame == 0;

		if (s && !s->sealed && s->run_max >= least && !memory_dead(s->component)) {
			uint32_t n = slab_run(s, &cursor_frame, least, want);

			if (n)
				return n;
			if (from_start)
				s->run_max = least - 1;
		}
		cursor = cursor + 1 < slabs_end ? cursor + 1 : 1;
		cursor_frame = 0;
	}
	return 0;
}

/* A frame was freed: the run that it lies in now may be longer than any that the slab was known to have. */
static void run_grown(struct slab *s, uint32_t f)
{
	uint32_t first = f;

	while (first > 0 && f - first < RUN_GOOD && !(s->map[(first - 1) / 64] >> (first - 1) % 64 & 1))
		first--;
	if (s->run_max < RUN_GOOD) {
		uint32_t n = run_length(s, first, RUN_GOOD);

		/* Runs this long are not told apart: some are longer. */
		if (n == RUN_GOOD)
			n = s->frames;
		s->run_max = s->run_max < n ? n : s->run_max;
	}
}

static void usage_changed(void)
{
	uint64_t n = 0;

	STAT_SET(excache.stats->remote_bytes, used_all() * PAGE_BYTES);
	stat_max(&excache.stats->remote_peak_bytes, used_all() * PAGE_BYTES);
	for (uint32_t i = 0; i < memory_count(); i++) {
		STAT_SET(excache.stats->component_bytes[i], place[i].used * PAGE_BYTES);
		n += place[i].slabs;
	}
	STAT_SET(excache.stats->slabs, n);
}

static void run_mark(struct slab *s, uint32_t f, uint32_t n, bool use)
{
	for (uint32_t i = f; i < f + n; i++) {
		uint64_t bit = 1ULL << i % 64;

		BUG_ON(!!(s->map[i / 64] & bit) == use);
		s->map[i / 64] ^= bit;
	}
	slab_count(s, false);
	s->free += use ? -n : n;
	slab_count(s, true);
	place[s->component].used += use ? n : -(uint64_t)n;
}

/* No good run: one in a new slab, or else a bad one. Where there is no frame at all it must be a new slab. */
static uint32_t run_make(uint32_t want, bool patient)
{
	int i = slab_get_any(patient && open.total == open.used);

	if (i > 0) {
		cursor = (uint32_t)i;
		cursor_frame = 0;
	}
	return run_find(1, want);
}

/* Some frames are kept free, so that a component that does not answer for a while holds nobody up. */
static void reserve_keep(void)
{
	if (open.total - open.used < open.used / 8 + RESERVE_FRAMES)
		(void)slab_get_any(false);
}

static int frames_take(unsigned want, uint64_t *loc, bool patient)
{
	bool plenty = (open.total - open.used) * 4 > open.total;
	uint32_t n = run_find(want < RUN_GOOD ? want : RUN_GOOD, want);

	if (!n && plenty)
		n = run_find(1, want);
	if (!n)
		n = run_make(want, patient);
	if (!n)
		return all_dead() ? -EIO : -ENOMEM;
	run_mark(slabs[cursor], cursor_frame, n, true);
	*loc = (uint64_t)cursor << FRAME_BITS | cursor_frame;
	cursor_frame += n;
	usage_changed();
	return (int)n;
}

int backing_take(unsigned want, uint64_t *loc)
{
	int n = frames_take(want, loc, true);

	if (n == -ENOMEM)
		say_full();
	return n;
}

int backing_take_quietly(unsigned want, uint64_t *loc)
{
	return frames_take(want, loc, false);
}

static struct slab *slab_of(uint64_t loc)
{
	return slabs[loc >> FRAME_BITS];
}

static uint32_t frame_of(uint64_t loc)
{
	return (uint32_t)(loc & ((1u << FRAME_BITS) - 1));
}

void backing_put(uint64_t loc, unsigned n)
{
	struct slab *s = slab_of(loc);

	run_mark(s, frame_of(loc), n, false);
	if (!s->sealed)
		run_grown(s, frame_of(loc));
}

uint32_t backing_component(uint64_t loc)
{
	return slab_of(loc)->component;
}

/* Ask for a key of a slab that came by a fork. */
static int slab_open(struct slab *s)
{
	struct p2m_slab_key_req req = { .slab = s->id };
	struct p2m_slab_key_rep rep;
	struct net_remote *remote;
	int err;

	err = memory_call(s->component, P2M_SLAB_KEY, &req, NULL, 0, TRANSFER_TRY_MS, &rep);
	if (!err && rep.frames != s->frames)
		err = -EPROTO;
	if (!err)
		err = memory_remote_open(s->component, &rep.key, s->frames * PAGE_BYTES, &remote);
	if (!err)
		__atomic_store_n(&s->remote, remote, __ATOMIC_RELEASE);
	return err;
}

int backing_locate(uint64_t loc, struct net_remote **remote, uint64_t *off)
{
	struct slab *s = slab_of(loc);
	int err = 0;

	*off = frame_of(loc) * PAGE_BYTES;
	*remote = __atomic_load_n(&s->remote, __ATOMIC_ACQUIRE);
	if (*remote)
		return 0;
	pthread_mutex_lock(&opening);
	if (!s->remote)
		err = slab_open(s);
	*remote = s->remote;
	pthread_mutex_unlock(&opening);
	return err;
}

uint32_t backing_slab(uint64_t loc, uint64_t *slab, uint32_t *frame)
{
	*slab = slab_of(loc)->id;
	*frame = frame_of(loc);
	return slab_of(loc)->component;
}

void backing_usage(struct backing_usage *u)
{
	*u = (struct backing_usage){
		.slabs = open.slabs + sealed.slabs,
		.frames = open.total + sealed.total,
		.used = used_all(),
		.sealed_slabs = sealed.slabs,
		.sealed_frames = sealed.total,
		.sealed_used = sealed.used,
	};
}

/* ---- giving slabs back ---- */

/* Give slab i back. Its page map entries must have reached the component first. */
static int slab_put(uint32_t i)
{
	struct slab *s = slabs[i];
	struct p2m_slab_put_req req = { .slab = s->id };
	int err = 0;

	if (!memory_dead(s->component)) {
		err = pagemap_flush(s->component);
		if (!err)
			err = memory_post(s->component, P2M_SLAB_PUT, &req, NULL, 0);
		if (err == -EAGAIN)
			return err;
		place[s->component].full_until_ns = 0;
		said_full = false;
	}
	slab_free(i);
	return 0;
}

/* Is it of no use? Sealed ones never take anything again; of the open ones some are kept. */
static bool slab_spare(const struct slab *s, uint64_t reserve)
{
	if (s->free < s->frames)
		return false;
	return s->sealed || (open.total - open.used > reserve && open.total - open.used - s->frames >= reserve / 2);
}

/* Give back what is more than this reserve of frames that are free. -EAGAIN: a component takes no messages. */
static int slabs_trim(uint64_t reserve)
{
	for (uint32_t i = 1; i < slabs_end; i++) {
		if (sealed.whole == 0 && (open.whole == 0 || open.total - open.used <= reserve))
			break;
		if (slabs[i] && slab_spare(slabs[i], reserve) && slab_put(i) == -EAGAIN)
			return -EAGAIN;
	}
	return 0;
}

void backing_trim(void)
{
	/* Reserve: a quarter of what is in use, and two slabs: what one phase of a program frees the next one takes. */
	if (slabs_trim(open.used / 4 + 2 * SLAB_FRAMES_FIRST))
		return;
	if (open.used > 0)
		reserve_keep();
	usage_changed();
}

/* ---- slack ---- */

#define DENSITIES 16u

/* Of a sealed slab, 0 to DENSITIES - 1: what part of it is in use. */
static uint32_t density(const struct slab *s)
{
	return (s->frames - s->free) * DENSITIES / (s->frames + 1);
}

static bool slab_sparse(uint32_t i, uint32_t below)
{
	const struct slab *s = slabs[i];

	return s && s->sealed && s->free < s->frames && !memory_dead(s->component) && density(s) < below;
}

bool backing_sparse_choose(unsigned pages)
{
	uint64_t in_use[DENSITIES] = { 0 }, sum = 0, chosen = 0;
	uint32_t below = 0;

	if (sealed.total <= 2 * sealed.used + SLACK_FRAMES)
		return false;
	for (uint32_t i = 1; i < slabs_end; i++) {
		if (!slab_sparse(i, DENSITIES))
			continue;
		in_use[density(slabs[i])] += slabs[i]->frames - slabs[i]->free;
		chosen += slabs[i]->leaving ? slabs[i]->frames - slabs[i]->free : 0;
	}
	while (below < DENSITIES && sum < pages)
		sum += in_use[below++];
	for (uint32_t i = 1; i < slabs_end && chosen < pages; i++) {
		if (!slab_sparse(i, below) || slabs[i]->leaving)
			continue;
		slabs[i]->leaving = true;
		chosen += slabs[i]->frames - slabs[i]->free;
	}
	return chosen > 0;
}

bool backing_leaving(uint64_t loc)
{
	return slab_of(loc)->leaving;
}

/* ---- fork ---- */

static void slabs_seal(uint32_t component)
{
	for (uint32_t i = 1; i < slabs_end; i++) {
		struct slab *s = slabs[i];

		if (!s || s->component != component || s->sealed)
			continue;
		slab_count(s, false);
		s->sealed = true;
		slab_count(s, true);
	}
}

static int component_fork(uint32_t component, uint32_t member)
{
	struct p2m_fork_req req = { .member = member };
	struct p2m_fork_rep rep;
	int err = pagemap_settle(component);

	if (!err) {
		err = memory_call(component, P2M_FORK, &req, NULL, 0, RPC_DEADLINE_MS, &rep);
		slabs_seal(component);
	}
	if (!err && rep.slabs < place[component].slabs)
		err = -EPROTO;
	return err;
}

int backing_fork(uint32_t member)
{
	int err = 0;

	(void)slabs_trim(0);
	for (uint32_t i = 0; i < memory_count() && !err; i++) {
		if (!place[i].slabs || memory_dead(i))
			continue;
		err = component_fork(i, member);
		if (err && memory_dead(i))
			err = 0; /* what it had is lost to both */
	}
	usage_changed();
	return err;
}

void backing_fork_child(void)
{
	pthread_mutex_init(&opening, NULL);
	for (uint32_t i = 1; i < slabs_end; i++)
		if (slabs[i])
			slabs[i]->remote = NULL;
	for (uint32_t i = 0; i < PROCESS_MEMORY_MAX; i++)
		place[i].silent_until_ns = place[i].full_until_ns = 0;
	said_full = false;
	usage_changed();
}
