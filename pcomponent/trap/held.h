/*
 * Sent signals that wait: SIGSYS, SIGSEGV and SIGBUS, which no host mask may hold while program code runs, are taken from
 * the host kernel wherever they come; one that the thread cannot take on at that moment is held here. As Linux has it for
 * these, one of a number waits for a thread and one for the process, and a second one is dropped.
 *
 * Filled by signal handlers that may have interrupted any code of ours: no locks in here.
 */
#ifndef PCOMPONENT_TRAP_HELD_H
#define PCOMPONENT_TRAP_HELD_H
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define HELD_SIGNALS 3

struct held {
	struct held_slot {
		uint64_t state; /* times it was filled << 2 | empty, being filled, full */
		siginfo_t info;
	} slot[HELD_SIGNALS];
};

/* One of the process's three. false: one waits already. */
bool held_put(struct held *h, const siginfo_t *info);
/* Take the one that waits, if so. */
bool held_take(struct held *h, int sig, siginfo_t *info);
/* Bits of those that wait. */
uint64_t held_mask(struct held *h);
/* How many wait in all sets: zero is the usual answer, and cheap. Ordered against stores before it. */
bool held_any(void);
/* In a forked process: empty one set, and say that none is left in any. */
void held_clear(struct held *h);
void held_none(void);

#endif
