/* See core_notes.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/load/stack.h"
#include "pcomponent/proc/core_notes.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/frame.h"
#include "pcomponent/trap/stop.h"
#include "pcomponent/trap/trap.h"

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif
#define ALIGN4(n) (((n) + 3u) & ~3u)

/* Room for a note at its end; the contents, to be filled, or NULL. */
static void *note(struct core_notes *n, const char *owner, uint32_t type, uint32_t bytes)
{
	uint32_t owner_bytes = (uint32_t)strlen(owner) + 1;
	uint32_t whole = (uint32_t)sizeof(Elf64_Nhdr) + ALIGN4(owner_bytes) + ALIGN4(bytes);
	Elf64_Nhdr head = { .n_namesz = owner_bytes, .n_descsz = bytes, .n_type = type };
	char *p;

	if (n->room - n->bytes < whole) {
		uint32_t room = 2 * n->room + whole;

		if (!(p = realloc(n->data, room)))
			return NULL;
		n->data = p;
		n->room = room;
	}
	p = n->data + n->bytes;
	memset(p, 0, whole);
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), owner, owner_bytes);
	n->bytes += whole;
	return p + sizeof(head) + ALIGN4(owner_bytes);
}

struct gather {
	struct core_notes *n;
	bool first, failed; /* the process's first thread, or the others */
};

static void registers_fill(elf_gregset_t *out, const struct thread *t, const struct trap_frame *f, uint64_t fs)
{
	const struct trap_regs *r = &f->regs;
	bool in_call = f == t->frame;
	const uint64_t regs[ELF_NGREG] = {
		r->r15, r->r14, r->r13,	  r->r12, r->bp, r->bx, r->r11, r->r10,
		r->r9,	r->r8,	r->ax,	  r->cx,  r->dx, r->si, r->di,	in_call ? (uint64_t)t->call_nr : ~0UL,
		r->ip,	r->cs,	r->flags, r->sp,  r->ss, fs,
	};

	memcpy(out, regs, sizeof(*out));
}

/* As the kernel has it in a core file, XCR0 lies where its signal frames tell their size. */
static bool vector_note(struct core_notes *n, const struct trap_frame *f)
{
	const char *area = (const char *)f->regs.fpstate;
	struct fp_sw sw;
	char *p;

	if (!area)
		return true;
	if (!(p = note(n, "CORE", NT_FPREGSET, FP_LEGACY_BYTES)))
		return false;
	memcpy(p, area, FP_LEGACY_BYTES);
	memcpy(&sw, area + FP_SW_OFFSET, sizeof(sw));
	if (sw.magic1 != FP_XSTATE_MAGIC)
		return true;
	if (!(p = note(n, "LINUX", NT_X86_XSTATE, sw.xstate_size)))
		return false;
	memcpy(p, area, sw.xstate_size);
	memset(p + FP_SW_OFFSET, 0, sizeof(sw));
	memcpy(p + FP_SW_OFFSET, &sw.xfeatures, sizeof(sw.xfeatures));
	return true;
}

static void thread_notes(struct thread *t, void *arg)
{
	struct gather *g = arg;
	struct elf_prstatus *st;
	const struct trap_frame *f;
	uint64_t fs;

	f = stop_frame(t, &fs);
	if (!f || g->failed || (t->tid == getpid()) != g->first)
		return;
	if (!(st = note(g->n, "CORE", NT_PRSTATUS, sizeof(*st)))) {
		g->failed = true;
		return;
	}
	st->pr_pid = t->tid;
	st->pr_ppid = getppid();
	st->pr_pgrp = getpgrp();
	st->pr_sid = getsid(0);
	st->pr_sighold = f->sigmask | t->mask_virtual;
	st->pr_fpvalid = f->regs.fpstate != 0;
	registers_fill(&st->pr_reg, t, f, fs);
	g->failed = !vector_note(g->n, f);
}

/* The first thread's name, whoever asks. */
static void comm_fill(char *to, size_t bytes)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, to, bytes - 1);

	if (n > 0)
		to[n - (to[n - 1] == '\n')] = 0;
	if (fd >= 0)
		close(fd);
}

static int process_note(struct core_notes *n)
{
	struct elf_prpsinfo *p = note(n, "CORE", NT_PRPSINFO, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->pr_sname = 'S';
	p->pr_uid = getuid();
	p->pr_gid = getgid();
	p->pr_pid = getpid();
	p->pr_ppid = getppid();
	p->pr_pgrp = getpgrp();
	p->pr_sid = getsid(0);
	fs_proc_args(p->pr_psargs, sizeof(p->pr_psargs));
	comm_fill(p->pr_fname, sizeof(p->pr_fname));
	return 0;
}

static int auxv_note(struct core_notes *n)
{
	uint32_t bytes;
	const void *auxv = stack_auxv(&bytes);
	void *p = note(n, "CORE", NT_AUXV, bytes);

	if (!p)
		return -ENOMEM;
	memcpy(p, auxv, bytes);
	return 0;
}

/* Count, page size, then start, end, offset in pages of each; then the names. */
static int file_note(struct core_notes *n, const struct core_mapping *map, unsigned n_map)
{
	uint64_t count = 0, bytes = 2 * sizeof(uint64_t), *word;
	unsigned i;
	char *name;

	for (i = 0; i < n_map; i++)
		if (map[i].name[0] == '/') {
			count++;
			bytes += 3 * sizeof(uint64_t) + strlen(map[i].name) + 1;
		}
	if (bytes > UINT32_MAX / 4 || !(word = note(n, "CORE", NT_FILE, (uint32_t)bytes)))
		return -ENOMEM;
	*word++ = count;
	*word++ = PAGE_BYTES;
	name = (char *)(word + 3 * count);
	for (i = 0; i < n_map; i++) {
		if (map[i].name[0] != '/')
			continue;
		*word++ = map[i].start;
		*word++ = map[i].end;
		*word++ = map[i].off / PAGE_BYTES;
		strcpy(name, map[i].name);
		name += strlen(name) + 1;
	}
	return 0;
}

int core_notes_make(struct core_notes *n, const struct core_mapping *map, unsigned n_map)
{
	struct gather g = { .n = n, .first = true };
	int err;

	/* The first thread is the one that a reader shows; the process's notes come between it and the others. */
	threads_each(thread_notes, &g);
	if (g.failed)
		return -ENOMEM;
	if ((err = process_note(n)) || (err = auxv_note(n)) || (err = file_note(n, map, n_map)))
		return err;
	g.first = false;
	threads_each(thread_notes, &g);
	return g.failed ? -ENOMEM : 0;
}
