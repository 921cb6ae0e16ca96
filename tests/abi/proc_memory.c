/* /proc/self: maps, smaps, status, statm and stat tell of the program's own memory, and agree with each other. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "tests/abi/abi.h"

#define MB (1UL << 20)

struct line {
	unsigned long start, end, off, ino;
	unsigned major, minor;
	char prot[5], path[256];
};

static bool find(const void *at, struct line *l)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char text[512];
	bool found = false;

	MUST(f);
	while (!found && fgets(text, sizeof(text), f)) {
		l->path[0] = 0;
		MUST(sscanf(text, "%lx-%lx %4s %lx %x:%x %lu %255s", &l->start, &l->end, l->prot, &l->off, &l->major,
			    &l->minor, &l->ino, l->path) >= 7);
		found = (unsigned long)at >= l->start && (unsigned long)at < l->end;
	}
	fclose(f);
	return found;
}

static unsigned long status_of(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kb = ~0UL;
	char text[512];

	MUST(f);
	while (fgets(text, sizeof(text), f))
		if (!strncmp(text, name, strlen(name)))
			kb = strtoul(text + strlen(name), NULL, 10);
	fclose(f);
	return kb << 10;
}

static void mappings(void)
{
	char name[] = "proc_memory-XXXXXX", *p = abi_map(8 * PAGE), *q;
	int fd = mkstemp(name), local;
	struct stat st;
	struct line l;

	MUST(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0 && fstat(fd, &st) == 0);
	q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	MUST(q != MAP_FAILED && unlink(name) == 0);
	CHECK(find(q, &l) && l.start == (unsigned long)q && l.end == (unsigned long)q + 2 * PAGE && l.off == PAGE);
	CHECK(!strcmp(l.prot, "r--p") && l.ino == st.st_ino && makedev(l.major, l.minor) == st.st_dev);
	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_NONE) == 0);
	CHECK(find(p + 3 * PAGE, &l) && !strcmp(l.prot, "---p") && l.start == (unsigned long)p + 2 * PAGE);
	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(find(p + 3 * PAGE, &l) && !strcmp(l.prot, "rw-p") && l.start <= (unsigned long)p); /* one again */
	CHECK(find(&local, &l) && !strcmp(l.path, "[stack]"));
	sbrk(PAGE);
	CHECK(find((char *)sbrk(0) - 1, &l) && !strcmp(l.path, "[heap]"));
	CHECK(find((void *)find, &l) && !strcmp(l.prot, "r-xp") && strstr(l.path, "proc_memory"));
	CHECK(munmap(p, 8 * PAGE) == 0 && !find(p, &l));
}

static void sizes(void)
{
	unsigned long size, locked, before = status_of("VmSize:"), there = status_of("VmRSS:") + status_of("VmSwap:"),
				    pages[7];
	char *p = abi_map(16 * MB), *q = mmap(NULL, MB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[1024], *at;
	unsigned long data = status_of("VmData:");
	FILE *f;

	size = status_of("VmSize:");
	CHECK(size == before + 17 * MB && status_of("VmPeak:") >= size);
	for (unsigned long i = 0; i < 8 * MB; i += PAGE)
		p[i] = 1;
	CHECK(status_of("VmRSS:") + status_of("VmSwap:") >= there + 7 * MB);
	CHECK(status_of("VmRSS:") + status_of("VmSwap:") < there + 10 * MB);
	CHECK(madvise(p, 8 * MB, MADV_DONTNEED) == 0);
	CHECK(status_of("VmRSS:") + status_of("VmSwap:") < there + 2 * MB);
	CHECK(mprotect(p, 4 * MB, PROT_READ) == 0 && status_of("VmData:") == data - 4 * MB);
	locked = status_of("VmLck:");
	CHECK(mlock(p + 8 * MB, 8 * PAGE) == 0 && status_of("VmLck:") == locked + 8 * PAGE);
	f = fopen("/proc/self/statm", "r");
	MUST(f && fscanf(f, "%lu %lu %lu %lu %lu %lu %lu", pages, pages + 1, pages + 2, pages + 3, pages + 4, pages + 5,
			 pages + 6) == 7);
	fclose(f);
	CHECK(pages[0] * PAGE == size && pages[1] <= pages[0] && pages[2] <= pages[1]);
	f = fopen("/proc/self/stat", "r");
	MUST(f && fgets(text, sizeof(text), f));
	fclose(f);
	at = strrchr(text, ')');
	MUST(at &&
	     sscanf(at, ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu",
		    pages, pages + 1) == 2);
	CHECK(pages[0] == size && pages[1] <= size / PAGE);
	munmap(p, 16 * MB);
	munmap(q, MB);
}

static void details(void)
{
	char *p = abi_map(4 * MB), text[512];
	unsigned long start, end, kb, rss = 0, swap = 0, total = 0;
	FILE *f;
	bool here = false;

	memset(p, 1, 4 * MB);
	abi_press();
	f = fopen("/proc/self/smaps", "r");
	MUST(f);
	while (fgets(text, sizeof(text), f)) {
		if (sscanf(text, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)p && end >= (unsigned long)p + 4 * MB;
		else if (sscanf(text, "Size: %lu", &kb) == 1)
			total += kb;
		else if (here && sscanf(text, "Rss: %lu", &kb) == 1)
			rss = kb;
		else if (here && sscanf(text, "Swap: %lu", &kb) == 1)
			swap = kb;
		else if (here && !strncmp(text, "VmFlags:", 8))
			CHECK(strstr(text, " rd wr ") != NULL);
	}
	fclose(f);
	CHECK((rss + swap) >= 4 << 10);
	CHECK(total >= status_of("VmSize:") >> 10 && total <= (status_of("VmSize:") >> 10) + 64);
	munmap(p, 4 * MB);
}

int main(void)
{
	mappings();
	sizes();
	details();
	puts("told");
	return abi_result();
}
