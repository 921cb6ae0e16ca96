/* Messages of the corpus, and what can be done to them. All by one random generator, so that a round can be replayed. */
#ifndef ASHLAR_TESTS_FUZZ_MUTATE_H
#define ASHLAR_TESTS_FUZZ_MUTATE_H
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/proto/lists.h"
#include "tests/fuzz/corpus.h"

struct message {
	size_t len;
	union {
		struct wire_hdr h;
		uint8_t bytes[MSG_BYTES_MAX];
	};
};

/* ---- random numbers (splitmix64) ---- */

static uint64_t random_state;

static inline void random_seed(uint64_t seed)
{
	random_state = seed;
}
static inline uint64_t random_u64(void)
{
	uint64_t x = random_state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}
static inline uint32_t below(uint32_t n)
{
	return (uint32_t)(random_u64() % n);
}
static inline bool chance(unsigned percent)
{
	return below(100) < percent;
}

/* ---- the corpus ---- */

static uint8_t *corpus;
static const struct corpus_entry **corpus_entry; /* into corpus */
static size_t corpus_entries;

static inline void corpus_load(void)
{
	const char *top = getenv("ASHLAR_TOP");
	char path[4096];
	long bytes;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus.bin", top ? top : ".");
	f = fopen(path, "r");
	if (!f || fseek(f, 0, SEEK_END) || (bytes = ftell(f)) <= 0 || fseek(f, 0, SEEK_SET)) {
		fprintf(stderr, "%s cannot be read (run in the top folder)\n", path);
		exit(1);
	}
	corpus = malloc((size_t)bytes);
	corpus_entry = calloc((size_t)bytes / sizeof(struct wire_hdr), sizeof(*corpus_entry));
	if (!corpus || !corpus_entry || fread(corpus, 1, (size_t)bytes, f) != (size_t)bytes)
		exit(1);
	fclose(f);
	for (size_t at = 0; at < (size_t)bytes;) {
		const struct corpus_entry *e = (const struct corpus_entry *)(corpus + at);

		corpus_entry[corpus_entries++] = e;
		at += sizeof(*e) + e->bytes;
	}
}

static inline void corpus_free(void)
{
	free(corpus_entry);
	free(corpus);
}

static inline void message_load(struct message *m, const struct corpus_entry *e)
{
	m->len = e->bytes;
	memcpy(m->bytes, e + 1, e->bytes);
}

/* Those that only say who one is; the recorded ones have capabilities of other days. */
static inline bool is_proof(uint16_t msg)
{
	return msg == MSG_HELLO || msg == P2M_HELLO || msg == P2M_GUARD || msg == P2S_HELLO;
}

/* High byte of the messages that a monitor serves on its listener. */
static const uint8_t message_edge[CORPUS_MONITOR_COUNT] = { 0x01, 0x04, 0x05, 0x03 };

/* A request that no recorded run made: any of the monitor's edge, its body zero. */
static inline void message_blank(struct message *m, enum corpus_monitor monitor)
{
	const struct msg_info *info;

	do
		info = msg_info_at(below(MSG_COUNT));
	while (info->id >> 8 != message_edge[monitor]);
	memset(m, 0, sizeof(m->h) + info->req_bytes);
	m->h = (struct wire_hdr){
		.magic = WIRE_MAGIC, .version = WIRE_VERSION, .msg = info->id, .body_bytes = info->req_bytes
	};
	m->len = sizeof(m->h) + info->req_bytes;
}

/* Mostly a request that this monitor serves; sometimes another's, or a reply. */
static inline void message_seed(struct message *m, enum corpus_monitor monitor)
{
	bool any = chance(1);

	if (chance(10)) {
		message_blank(m, monitor);
		return;
	}
	do
		message_load(m, corpus_entry[below((uint32_t)corpus_entries)]);
	while (!any && (m->h.msg >> 8 != message_edge[monitor] || m->h.flags || (is_proof(m->h.msg) && !chance(5))));
}

static inline void message_make(struct message *m, uint16_t msg, const void *body, uint32_t n, const void *tail,
				uint32_t tail_bytes)
{
	m->h = (struct wire_hdr){
		.magic = WIRE_MAGIC, .version = WIRE_VERSION, .msg = msg, .body_bytes = n, .tail_bytes = tail_bytes
	};
	memcpy(m->bytes + sizeof(m->h), body, n);
	if (tail_bytes)
		memcpy(m->bytes + sizeof(m->h) + n, tail, tail_bytes);
	m->len = sizeof(m->h) + n + tail_bytes;
}

/* ---- the dictionary: names that the monitor gave to a peer (handles, slabs, processes) ---- */

#define DICTIONARY_WORDS 8u
struct dictionary {
	uint64_t word[DICTIONARY_WORDS];
	unsigned n;
};

static inline void dictionary_learn(struct dictionary *d, uint64_t word)
{
	if (word)
		d->word[d->n++ % DICTIONARY_WORDS] = word;
}

static inline uint64_t dictionary_word(const struct dictionary *d)
{
	return d->n ? d->word[below(d->n < DICTIONARY_WORDS ? d->n : DICTIONARY_WORDS)] : 0;
}

static inline uint64_t number_odd(void)
{
	static const uint64_t odd[] = { 0,
					1,
					2,
					7,
					63,
					64,
					4095,
					4096,
					4097,
					16383,
					16384,
					16385,
					65535,
					65536,
					0x7fffffff,
					0x80000000,
					0xffffffff,
					0x100000000,
					(1ULL << 36) - 1,
					1ULL << 36,
					1ULL << 48,
					INT64_MAX,
					1ULL << 63,
					UINT64_MAX,
					UINT64_MAX - 4095,
					0x7ff8000000000000ULL,
					0xfff0000000000000ULL };

	return odd[below(sizeof(odd) / sizeof(odd[0]))];
}

/* ---- mutations ---- */

static inline uint8_t *message_body(struct message *m)
{
	return m->bytes + sizeof(m->h);
}

static inline size_t message_rest(const struct message *m)
{
	return m->len > sizeof(m->h) ? m->len - sizeof(m->h) : 0;
}

/* A number of the body, mostly the first, becomes one that the monitor knows: so a sequence gets somewhere. */
static inline void message_words(struct message *m, const struct dictionary *d)
{
	uint64_t word = dictionary_word(d);
	uint32_t n = m->h.body_bytes / 8;

	if (n && word && m->len >= sizeof(m->h) + m->h.body_bytes)
		memcpy(message_body(m) + 8 * (chance(90) ? 0 : below(n)), &word, 8);
}

/* Another tail; a field of the body that told the length tells the new one. */
static inline void tail_set(struct message *m, const void *tail, uint32_t n)
{
	uint32_t old = m->h.tail_bytes, at;

	if (m->len != sizeof(m->h) + m->h.body_bytes + old || sizeof(m->h) + m->h.body_bytes + n > MSG_BYTES_MAX)
		return;
	for (at = 0; at + 4 <= m->h.body_bytes && old; at += 4) {
		uint32_t field;

		memcpy(&field, message_body(m) + at, 4);
		if (field == old)
			memcpy(message_body(m) + at, &n, 4);
	}
	memcpy(message_body(m) + m->h.body_bytes, tail, n);
	m->h.tail_bytes = n;
	m->len = sizeof(m->h) + m->h.body_bytes + n;
}

static inline void tail_hostile(struct message *m)
{
	static const char *const texts[] = {
		"/",
		"//",
		".",
		"..",
		"../../../../etc/passwd",
		"/proc/self/mem",
		"%s%n",
		"a\nwarning: x",
		"\033[2J",
		"/dev/sda",
		"/proc/self/fd/0",
		"d/../../..",
		"",
		"\xff\xfe\xc0\x80",
		"a/",
		"/../proc/1/root",
		"loop",
		"./././././.",
	};
	static char text[MSG_TAIL_MAX];
	uint32_t n = below(chance(5) ? MSG_TAIL_MAX : 4096);

	if (chance(60)) {
		tail_set(m, texts[n % (sizeof(texts) / sizeof(texts[0]))],
			 (uint32_t)strlen(texts[n % (sizeof(texts) / sizeof(texts[0]))]));
		return;
	}
	if (chance(50))
		n = 4090 + below(12);
	memset(text, chance(50) ? 'a' : '/', sizeof(text));
	for (uint32_t i = 0; i < n; i += 1 + below(200))
		text[i] = chance(50) ? '/' : (char)random_u64();
	tail_set(m, text, n);
}

static inline void header_break(struct message *m)
{
	switch (below(9)) {
	case 0:
		m->h.msg = (uint16_t)random_u64();
		break;
	case 1:
		m->h.flags = (uint32_t)number_odd();
		break;
	case 2:
		m->h.err = (int32_t)number_odd();
		break;
	case 3:
		m->h.req_id = number_odd();
		break;
	case 4:
		m->h.body_bytes = (uint32_t)number_odd();
		break;
	case 5:
		m->h.tail_bytes = (uint32_t)number_odd();
		break;
	case 6:
		m->h.magic ^= 1u << below(32);
		break;
	case 7:
		m->h.version = (uint16_t)number_odd();
		break;
	case 8:
		m->h.flags ^= WIRE_REPLY;
		break;
	}
}

/* The body or tail of one message in another. */
static inline void message_splice(struct message *m)
{
	static struct message other;
	size_t n;

	message_load(&other, corpus_entry[below((uint32_t)corpus_entries)]);
	n = message_rest(m) < message_rest(&other) ? message_rest(m) : message_rest(&other);
	if (chance(50))
		memcpy(message_body(m), message_body(&other), n);
	else if (other.h.tail_bytes && message_rest(&other) >= other.h.body_bytes + other.h.tail_bytes)
		tail_set(m, message_body(&other) + other.h.body_bytes, other.h.tail_bytes);
}

static inline void message_mutate(struct message *m)
{
	size_t rest = message_rest(m);
	uint64_t word;

	switch (below(12)) {
	case 0:
		if (rest)
			message_body(m)[below((uint32_t)rest)] ^= (uint8_t)(1u << below(8));
		break;
	case 1:
	case 2:
		if (rest)
			message_body(m)[below((uint32_t)rest)] = (uint8_t)random_u64();
		break;
	case 3:
	case 4:
		word = number_odd();
		if (rest >= 8)
			memcpy(message_body(m) + 8 * below((uint32_t)rest / 8), &word, 8);
		break;
	case 5:
	case 6:
		word = number_odd();
		if (rest >= 4)
			memcpy(message_body(m) + 4 * below((uint32_t)rest / 4), &word, 4);
		break;
	case 7:
	case 8:
	case 9:
		if (m->h.tail_bytes)
			tail_hostile(m);
		break;
	case 10:
		message_splice(m);
		break;
	case 11:
		/* Both end the connection, so not too often. */
		if (chance(8))
			header_break(m);
		else if (chance(8))
			m->len = 1 + below((uint32_t)m->len);
		else if (chance(2))
			m->bytes[below(sizeof(m->h))] ^= (uint8_t)(1u << below(8));
		break;
	}
	if (chance(25))
		message_mutate(m);
}

static inline void message_noise(struct message *m)
{
	m->len = 1 + below(chance(90) ? 200 : MSG_BYTES_MAX);
	for (size_t i = 0; i < m->len; i++)
		m->bytes[i] = (uint8_t)random_u64();
	if (m->len >= sizeof(m->h) && chance(50)) {
		m->h.magic = WIRE_MAGIC;
		m->h.version = WIRE_VERSION;
	}
}

#endif
