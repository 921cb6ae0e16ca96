/*
 * mappings [NAME...]: mmap and its family, with contents checked after each step, and after a walk over more memory than a
 * small ExCache holds. Names single steps; without, all.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define PAGE 4096UL
#define WALK_BYTES (6UL << 20)

static char *walked;
static sigjmp_buf back;
static volatile int fault_signal, fault_code;

static void walk(void)
{
	for (size_t i = 0; i < WALK_BYTES; i += PAGE)
		walked[i]++;
}

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	fault_signal = sig;
	fault_code = info->si_code;
	siglongjmp(back, 1);
}

static const char *touch(volatile char *at, bool write)
{
	static char text[32];

	if (sigsetjmp(back, 1)) {
		snprintf(text, sizeof(text), "signal %d code %d", fault_signal, fault_code);
		return text;
	}
	if (write)
		*at = *at;
	else
		(void)*at;
	return "ok";
}

static uint64_t *map(size_t pages)
{
	uint64_t *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static void fill(uint64_t *at, uint64_t first, uint64_t pages, uint64_t version)
{
	for (uint64_t i = 0; i < pages; i++)
		page_fill(at + i * WORDS_PER_PAGE, first + i, version);
}

static uint64_t wrong(const uint64_t *at, uint64_t first, uint64_t pages, uint64_t version)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < pages; i++)
		n += page_wrong(at + i * WORDS_PER_PAGE, first + i, version);
	return n;
}

static uint64_t not_zero(const uint64_t *at, uint64_t pages)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < pages * WORDS_PER_PAGE; i++)
		n += at[i] != 0;
	return n;
}

static uint64_t *page(uint64_t *at, uint64_t n)
{
	return at + n * WORDS_PER_PAGE;
}

static void anonymous(void)
{
	uint64_t *p = map(512);

	printf("fresh: %lu not zero\n", not_zero(p, 512));
	fill(p, 0, 512, 1);
	walk();
	printf("filled: %lu wrong\n", wrong(p, 0, 512, 1));
	munmap(page(p, 100), 50 * PAGE);
	printf("hole: %s; before: %s; after: %s\n", touch((char *)page(p, 100), true), touch((char *)page(p, 99), true),
	       touch((char *)page(p, 150), true));
	walk();
	MUST(mmap(page(p, 100), 50 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     page(p, 100));
	printf("filled again: %lu not zero, %lu and %lu wrong beside\n", not_zero(page(p, 100), 50),
	       wrong(p, 0, 100, 1), wrong(page(p, 150), 150, 362, 1));
	fill(page(p, 100), 100, 50, 2);
	MUST(mmap(page(p, 90), 20 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     page(p, 90));
	walk();
	printf("mapped over: %lu not zero, %lu wrong before, %lu after\n", not_zero(page(p, 90), 20),
	       wrong(p, 0, 90, 1), wrong(page(p, 110), 110, 40, 2));
	printf("not over what is there: ");
	say("fixed, no replace",
	    (long)mmap(page(p, 10), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == -1
		    ? -1
		    : 0);
	say("unmapped all", munmap(p, 512 * PAGE));
	say("unmapped twice", munmap(p, 512 * PAGE));
	printf("gone: %s\n", touch((char *)p, false));
	for (int i = 0; i < 200; i++) {
		p = map(64);
		MUST(!not_zero(p, 64));
		fill(p, 0, 64, (uint64_t)i);
		MUST(!munmap(p, 64 * PAGE));
	}
	printf("two hundred times fresh: ok\n");
}

static void protect(void)
{
	uint64_t *p = map(64);

	fill(p, 0, 64, 1);
	say("read only", mprotect(page(p, 8), 8 * PAGE, PROT_READ));
	printf("write: %s; read: %s\n", touch((char *)page(p, 8), true), touch((char *)page(p, 15), false));
	say("none", mprotect(page(p, 16), 8 * PAGE, PROT_NONE));
	printf("read: %s\n", touch((char *)page(p, 16), false));
	walk();
	printf("evicted, write: %s; ", touch((char *)page(p, 8), true));
	printf("read: %s; ", touch((char *)page(p, 9), false));
	printf("none: %s\n", touch((char *)page(p, 17), false));
	say("all again", mprotect(p, 64 * PAGE, PROT_READ | PROT_WRITE));
	printf("contents: %lu wrong; write: %s\n", wrong(p, 0, 64, 1), touch((char *)page(p, 16), true));
	fill(p, 0, 64, 2);
	for (int i = 0; i < 50; i++) {
		MUST(!mprotect(p, 64 * PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ));
		MUST(!wrong(p, 0, 64, 2));
		if (i % 10 == 0)
			walk();
	}
	printf("to and fro: %lu wrong\n", wrong(p, 0, 64, 2));
	munmap(page(p, 32), PAGE);
	say("over a hole", mprotect(p, 64 * PAGE, PROT_READ));
	say("unaligned", mprotect((char *)p + 1, PAGE, PROT_READ));
	say("nowhere", mprotect((void *)0x10000000000, PAGE, PROT_READ));
	say("bad bits", mprotect(p, PAGE, 0x40000000));
}

static void move(void)
{
	uint64_t *p = map(256), *q, *r, *hole;

	fill(p, 0, 256, 1);
	walk();
	q = mremap(p, 256 * PAGE, 1024 * PAGE, MREMAP_MAYMOVE);
	MUST(q != MAP_FAILED);
	printf("grown: %lu wrong, %lu not zero\n", wrong(q, 0, 256, 1), not_zero(page(q, 256), 768));
	fill(page(q, 256), 256, 768, 1);
	walk();
	p = mremap(q, 1024 * PAGE, 128 * PAGE, 0);
	printf("shrunk: same place %d, %lu wrong; beyond: %s\n", p == q, wrong(p, 0, 128, 1),
	       touch((char *)page(q, 128), false));
	hole = map(512);
	munmap(hole, 512 * PAGE);
	walk();
	q = mremap(p, 128 * PAGE, 128 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	printf("to a place: %d, %lu wrong; the old one: %s\n", q == hole, wrong(q, 0, 128, 1), touch((char *)p, false));
	fill(q, 0, 128, 3);
	walk();
	r = map(16);
	fill(r, 900, 16, 9);
	p = mremap(page(q, 32), 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r);
	printf("a part, over another: %d, %lu wrong; left: %lu, right: %lu wrong; between: %s\n", p == r,
	       wrong(p, 32, 16, 3), wrong(q, 0, 32, 3), wrong(page(q, 48), 48, 80, 3),
	       touch((char *)page(q, 40), false));
	r = mremap(page(q, 48), 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	MUST(r != MAP_FAILED);
	printf("moved, mapping left: %lu wrong, %lu not zero\n", wrong(r, 48, 16, 3), not_zero(page(q, 48), 16));
	fill(page(q, 48), 48, 16, 4);
	walk();
	printf("both: %lu %lu wrong\n", wrong(r, 48, 16, 3), wrong(page(q, 48), 48, 16, 4));
	mprotect(page(q, 64), 8 * PAGE, PROT_READ);
	r = mremap(page(q, 64), 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	MUST(r != MAP_FAILED);
	printf("read-only moved: %lu wrong, write: %s\n", wrong(r, 64, 8, 3), touch((char *)r, true));
	say("unaligned", (long)mremap((char *)q + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == -1 ? -1 : 0);
	say("nothing there", (long)mremap((void *)0x10000000000, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == -1 ? -1 : 0);
	say("to nothing", (long)mremap(q, PAGE, 0, MREMAP_MAYMOVE) == -1 ? -1 : 0);
	say("over itself",
	    (long)mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(q, 1)) == -1 ? -1 : 0);
}

/* Moved up against another mapping, and grown in place again and again: one range, however the host sees it. */
static void neighbours(void)
{
	uint64_t *area = map(400), *p = map(50), *q, pages = 50;

	munmap(area, 200 * PAGE);
	q = mremap(p, 50 * PAGE, 100 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(area, 100));
	MUST(q == page(area, 100));
	fill(q, 0, 300, 1);
	walk();
	printf("across the border: %lu wrong\n", wrong(q, 0, 300, 1));
	say("protected across it", mprotect(page(q, 90), 20 * PAGE, PROT_READ));
	printf("write: %s; ", touch((char *)page(q, 99), true));
	printf("write: %s\n", touch((char *)page(q, 100), true));
	munmap(q, 300 * PAGE);

	p = map(pages);
	fill(p, 0, pages, 2);
	for (int i = 0; i < 60; i++, pages += 13) {
		p = mremap(p, pages * PAGE, (pages + 13) * PAGE, MREMAP_MAYMOVE);
		MUST(p != MAP_FAILED);
		fill(page(p, pages), pages, 13, 2);
		if (i % 20 == 0)
			walk();
	}
	printf("grown sixty times: %lu wrong\n", wrong(p, 0, pages, 2));
	munmap(p, pages * PAGE);
}

static void advise(void)
{
	uint64_t *p = map(256), bad = 0;

	fill(p, 0, 256, 1);
	walk();
	say("dontneed", madvise(page(p, 64), 64 * PAGE, MADV_DONTNEED));
	printf("dropped: %lu not zero; beside: %lu %lu wrong\n", not_zero(page(p, 64), 64), wrong(p, 0, 64, 1),
	       wrong(page(p, 128), 128, 128, 1));
	fill(page(p, 64), 64, 64, 2);
	walk();
	printf("written again: %lu wrong\n", wrong(page(p, 64), 64, 64, 2));
	say("free", madvise(p, 64 * PAGE, MADV_FREE));
	for (uint64_t i = 0; i < 64; i++)
		bad += not_zero(page(p, i), 1) && page_wrong(page(p, i), i, 1);
	printf("old or zero: %lu pages are neither\n", bad);
	say("free", madvise(p, 64 * PAGE, MADV_FREE));
	fill(p, 0, 64, 3);
	walk();
	printf("written after: %lu wrong\n", wrong(p, 0, 64, 3));
	say("willneed", madvise(p, 64 * PAGE, MADV_WILLNEED));
	say("hugepage", madvise(p, 64 * PAGE, MADV_HUGEPAGE));
	say("nohugepage", madvise(p, 64 * PAGE, MADV_NOHUGEPAGE));
	say("sequential", madvise(p, 64 * PAGE, MADV_SEQUENTIAL));
	say("dontfork", madvise(p, 64 * PAGE, MADV_DONTFORK));
	say("dontdump", madvise(p, 64 * PAGE, MADV_DONTDUMP));
	say("unaligned", madvise((char *)p + 1, PAGE, MADV_DONTNEED));
	say("nowhere", madvise((void *)0x10000000000, PAGE, MADV_DONTNEED));
	say("unknown", madvise(p, PAGE, 12345));
	say("nothing", madvise(p, 0, MADV_DONTNEED));
	printf("contents: %lu wrong\n", wrong(p, 0, 64, 3));
}

static void heap(void)
{
	char *start = sbrk(0), *at;
	uint64_t *p;

	at = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));
	MUST(!brk(at + 512 * PAGE));
	p = (uint64_t *)at;
	printf("grown: %lu not zero\n", not_zero(p, 512));
	fill(p, 0, 512, 1);
	walk();
	printf("contents: %lu wrong\n", wrong(p, 0, 512, 1));
	MUST(!brk(at + 100 * PAGE));
	printf("shrunk: %lu wrong; beyond: %s\n", wrong(p, 0, 100, 1), touch((char *)page(p, 100), false));
	MUST(!brk(at + 512 * PAGE));
	walk();
	printf("again: %lu not zero, %lu wrong\n", not_zero(page(p, 100), 412), wrong(p, 0, 100, 1));
	MUST(!brk(at + 10));
	printf("to the byte: %d\n", sbrk(0) == at + 10);
	say("below", brk((void *)PAGE));
	brk(start);
}

static void reserve(void)
{
	uint64_t *p = mmap(NULL, 64UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			   0);
	uint64_t n = 64UL << 18, bad = 0, *none;

	MUST(p != MAP_FAILED);
	for (uint64_t i = 0; i < 700; i++)
		page_fill(page(p, i * 23987 % n), i, 1);
	walk();
	for (uint64_t i = 0; i < 700; i++)
		bad += page_wrong(page(p, i * 23987 % n), i, 1);
	printf("sparse: %lu wrong, %lu not zero\n", bad, not_zero(page(p, 1), 1));
	munmap(p, 64UL << 30);
	none = mmap(NULL, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	printf("a terabyte of nothing: %d\n", none != MAP_FAILED);
	MUST(!mprotect(page(none, 1000), 100 * PAGE, PROT_READ | PROT_WRITE));
	fill(page(none, 1000), 0, 100, 1);
	walk();
	printf("a part of it: %lu wrong; beside: %s\n", wrong(page(none, 1000), 0, 100, 1),
	       touch((char *)page(none, 999), false));
	say("given back", munmap(none, 1UL << 40));
}

static void files(void)
{
	char name[] = "mappings-XXXXXX";
	int fd = mkstemp(name);
	uint64_t buf[512], *p, *q;

	MUST(fd >= 0);
	for (uint64_t i = 0; i < 300; i++) {
		page_fill(buf, i, 5);
		MUST(write(fd, buf, PAGE) == (ssize_t)PAGE);
	}
	MUST(write(fd, "the tail", 8) == 8);
	p = mmap(NULL, 301 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	MUST(p != MAP_FAILED);
	printf("private: %lu wrong; tail: %.8s, %lu not zero behind\n", wrong(p, 0, 300, 5), (char *)page(p, 300),
	       not_zero(page(p, 300) + 1, 0) + (page(p, 300)[1] != 0) + (page(p, 300)[511] != 0));
	fill(page(p, 10), 10, 100, 6);
	walk();
	printf("written: %lu %lu wrong\n", wrong(page(p, 10), 10, 100, 6), wrong(page(p, 110), 110, 190, 5));
	MUST(pread(fd, buf, PAGE, 20 * PAGE) == (ssize_t)PAGE);
	printf("the file is as it was: %u wrong\n", page_wrong(buf, 20, 5));
	say("dontneed", madvise(page(p, 10), 10 * PAGE, MADV_DONTNEED));
	printf("the file's again: %lu wrong, then %lu\n", wrong(page(p, 10), 10, 10, 5), wrong(page(p, 20), 20, 90, 6));
	q = mmap(NULL, 50 * PAGE, PROT_READ, MAP_SHARED, fd, 200 * PAGE);
	printf("shared, read only, from within: ");
	if (q == MAP_FAILED)
		printf("%s\n", error_name(errno));
	else
		printf("%lu wrong; write: %s\n", wrong(q, 200, 50, 5), touch((char *)q, true));
	close(fd);
	walk();
	printf("closed: %lu wrong\n", wrong(page(p, 110), 110, 190, 5));
	say("bad offset", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1) == -1 ? -1 : 0);
	say("closed file", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == -1 ? -1 : 0);
	fd = open(name, O_WRONLY);
	say("of a file not readable", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == -1 ? -1 : 0);
	close(fd);
	fd = open(name, O_RDONLY);
	say("private writable of a read-only file",
	    (long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == -1 ? -1 : 0);
	close(fd);
	fd = open(".", O_RDONLY);
	say("a directory", (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == -1 ? -1 : 0);
	close(fd);
	unlink(name);
}

static void code(void)
{
	static const unsigned char answer[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
	unsigned char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*fn)(void) = (int (*)(void))(uintptr_t)p;

	MUST(p != MAP_FAILED);
	memcpy(p, answer, sizeof(answer));
	printf("written code: %d\n", fn());
	walk();
	printf("evicted code: %d\n", fn());
	p[1] = 43;
	mprotect(p, PAGE, PROT_READ | PROT_EXEC);
	walk();
	printf("changed code: %d\n", fn());
	mprotect(p, PAGE, PROT_READ);
	if (!sigsetjmp(back, 1))
		fn();
	else
		printf("no code any more: signal %d code %d\n", fault_signal, fault_code);
}

static int deep(int n)
{
	volatile char room[1000];

	memset((char *)room, n & 0x7f, sizeof(room));
	if (n && deep(n - 1) != n - 1)
		return -1;
	for (unsigned i = 0; i < sizeof(room); i++)
		if (room[i] != (n & 0x7f))
			return -1;
	return n;
}

static void stack(void)
{
	printf("seven megabytes deep: %d\n", deep(6500));
	walk();
	printf("and again: %d\n", deep(6500));
}

static void refused(void)
{
	long r;

#define TRY(text, ...)                       \
	do {                                 \
		r = (long)mmap(__VA_ARGS__); \
		say(text, r == -1 ? -1 : 0); \
	} while (0)
	TRY("no bytes", NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY("neither private nor shared", NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0);
	TRY("fixed, unaligned", (void *)0x1000000001, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	TRY("too large", NULL, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY("no such descriptor", NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0);
	TRY("page zero, fixed, beyond the end", (void *)0x7fffffffffff0000, PAGE, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	say("munmap unaligned", munmap((void *)1, PAGE));
	say("munmap nothing", munmap((void *)PAGE, 0));
	say("msync", msync((void *)((uintptr_t)walked & ~(PAGE - 1)), PAGE, MS_SYNC));
	say("mlock", mlock(walked, PAGE));
	say("munlock", munlock(walked, PAGE));
}

static const struct step {
	const char *name;
	void (*run)(void);
} steps[] = {
	{ "anonymous", anonymous }, { "protect", protect }, { "move", move },	    { "neighbours", neighbours },
	{ "advise", advise },	    { "heap", heap },	    { "reserve", reserve }, { "files", files },
	{ "code", code },	    { "stack", stack },	    { "refused", refused },
};

int main(int argc, char **argv)
{
	struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	walked = (char *)map(WALK_BYTES / PAGE);
	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGBUS, &a, NULL);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], steps[i].name) == 0;
		if (!wanted)
			continue;
		printf("-- %s\n", steps[i].name);
		steps[i].run();
		fflush(stdout);
	}
	return 0;
}
