/*
 * What the programs of tests/abi share: one behaviour of Linux a file, said in lines that never differ from run to run.
 * They are run natively first, so what they CHECK is checked against the real kernel before it is asked of ashlar.
 * tests/run.sh says what their heads may hold.
 */
#ifndef ASHLAR_TESTS_ABI_H
#define ASHLAR_TESTS_ABI_H
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
#define ABI_SKIPPED 77

static int abi_failures __attribute__((unused));

/* Counts what is not so, and goes on. The line goes to stderr: the runner shows both runs' and fails. */
#define CHECK(cond) abi_check((cond) ? 1 : 0, #cond, __FILE_NAME__, __LINE__)
/* A call by the usual convention, -1 and errno: it fails with just that error. */
#define CHECK_ERR(call, error)                                                                                    \
	do {                                                                                                      \
		long abi_ret = (errno = 0, (long)(call));                                                         \
		int abi_errno = errno;                                                                            \
		if (!abi_check(abi_ret == -1 && abi_errno == (error), #call " fails with " #error, __FILE_NAME__, \
			       __LINE__))                                                                         \
			fprintf(stderr, "    it returned %ld, errno %d (%s)\n", abi_ret, abi_errno,               \
				strerror(abi_errno));                                                             \
	} while (0)
/* Without this the rest makes no sense: ends the program. */
#define MUST(cond)                          \
	do {                                \
		if (!CHECK(cond))           \
			exit(abi_result()); \
	} while (0)

static inline bool abi_check(bool so, const char *text, const char *file, int line)
{
	int err = errno;

	if (so)
		return true;
	fflush(stdout);
	fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", file, line, text, err);
	abi_failures++;
	errno = err;
	return false;
}

/* What main returns: 0 if all was so. */
static inline int abi_result(void)
{
	fflush(stdout);
	return abi_failures ? 1 : 0;
}

/* The machine cannot do it, even natively (no right, no such device): the runner skips the test. */
static inline void abi_skip(const char *why)
{
	printf("skipped: %s\n", why);
	fflush(stdout);
	_exit(ABI_SKIPPED);
}

static inline char *abi_map(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

/* Walks over more memory than the tiny ExCache holds: what was written before is remote afterwards. */
static inline void abi_press(void)
{
	size_t bytes = 6UL << 20;
	volatile char *p = abi_map(bytes);

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < bytes; i += PAGE)
			p[i]++;
	munmap((void *)p, bytes);
}

/* ---- faults -------------------------------------------------------------------------------------------------------- */

struct abi_fault {
	int sig, code; /* 0: there was none */
	void *addr;
};

static sigjmp_buf abi_fault_back __attribute__((unused));
static volatile struct abi_fault abi_fault_seen __attribute__((unused));

static inline void abi_on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	abi_fault_seen.sig = sig;
	abi_fault_seen.code = info->si_code;
	abi_fault_seen.addr = info->si_addr;
	siglongjmp(abi_fault_back, 1);
}

enum abi_access { ABI_READ, ABI_WRITE, ABI_CALL };

/* One access, and the signal that came of it. A write writes what was there; a call calls what is at at. */
static inline struct abi_fault abi_touch(void *at, enum abi_access how)
{
	struct sigaction act = { .sa_sigaction = abi_on_fault, .sa_flags = SA_SIGINFO }, segv, bus;
	struct abi_fault seen;

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	abi_fault_seen.sig = abi_fault_seen.code = 0;
	abi_fault_seen.addr = NULL;
	if (!sigsetjmp(abi_fault_back, 1)) {
		if (how == ABI_READ)
			(void)*(volatile char *)at;
		else if (how == ABI_WRITE)
			__atomic_fetch_or((char *)at, 0, __ATOMIC_SEQ_CST);
		else
			((void (*)(void))at)();
	}
	seen.sig = abi_fault_seen.sig;
	seen.code = abi_fault_seen.code;
	seen.addr = abi_fault_seen.addr;
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return seen;
}

/* No fault, or just that one, at that very address */
#define CHECK_TOUCH(at, how) CHECK(abi_touch((at), (how)).sig == 0)
#define CHECK_FAULT(at, how, signal, si_code_)                                                                  \
	do {                                                                                                    \
		struct abi_fault abi_f = abi_touch((at), (how));                                                \
		if (!abi_check(abi_f.sig == (signal) && abi_f.code == (si_code_) && abi_f.addr == (void *)(at), \
			       #how " at " #at " is " #signal " " #si_code_, __FILE_NAME__, __LINE__))          \
			fprintf(stderr, "    signal %d, code %d, address off by %ld\n", abi_f.sig, abi_f.code,  \
				(long)((char *)abi_f.addr - (char *)(at)));                                     \
	} while (0)

#endif
