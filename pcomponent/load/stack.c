/*
 * The first stack (stack.h): built in local memory, then copied out. The auxiliary vector is the host kernel's own where
 * it tells of the machine (AT_HWCAP, AT_SYSINFO_EHDR, AT_CLKTCK ...) and ours where it tells of the program.
 */
#include "pcomponent/load/stack.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include "ashlar/base/limits.h"
#include "pcomponent/load/elf.h"
#include "pcomponent/sys/uaccess.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define ARGS_BYTES_MAX (6UL << 20) /* as Linux: three quarters of the 8 MB stack */

struct builder {
	char *buf;
	uint64_t bytes, sp; /* sp: offset in buf, falls */
	uint64_t top;
};

static uint64_t put(struct builder *b, const void *data, uint64_t n)
{
	b->sp -= n;
	memcpy(b->buf + b->sp, data, n);
	return b->top - b->bytes + b->sp;
}

static uint64_t strings_bytes(char *const list[], uint64_t *n)
{
	uint64_t total = 0;

	for (*n = 0; list[*n]; ++*n)
		total += strlen(list[*n]) + 1;
	return total;
}

static uint64_t host_aux(unsigned long type)
{
	return getauxval(type);
}

/* Machine entries that are passed on. */
static const unsigned long passed_on[] = { AT_SYSINFO_EHDR, AT_HWCAP, AT_HWCAP2, AT_CLKTCK, AT_MINSIGSTKSZ,
					   AT_UID,	    AT_EUID,  AT_GID,	 AT_EGID };

static unsigned auxv_fill(Elf64_auxv_t *av, const struct elf_file *e, const struct elf_mapped *prog,
			  uint64_t interp_base, uint64_t random, uint64_t execfn, uint64_t platform)
{
	unsigned n = 0, i;

#define AUX(type, value)         \
	av[n++] = (Elf64_auxv_t) \
	{                        \
		type,            \
		{                \
			value    \
		}                \
	}
	for (i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		if (host_aux(passed_on[i]) || passed_on[i] != AT_SYSINFO_EHDR)
			AUX(passed_on[i], host_aux(passed_on[i]));
	AUX(AT_PHDR, prog->phdr);
	AUX(AT_PHENT, sizeof(Elf64_Phdr));
	AUX(AT_PHNUM, e->eh.e_phnum);
	AUX(AT_PAGESZ, PAGE_BYTES);
	AUX(AT_BASE, interp_base);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, prog->entry);
	AUX(AT_SECURE, 0);
	AUX(AT_RANDOM, random);
	AUX(AT_EXECFN, execfn);
	AUX(AT_PLATFORM, platform);
	AUX(AT_NULL, 0);
#undef AUX
	return n;
}

static void list_put(struct builder *b, uint64_t *at, char *const list[], uint64_t n)
{
	uint64_t i;

	for (i = n; i-- > 0;)
		at[i] = put(b, list[i], strlen(list[i]) + 1);
	at[n] = 0;
}

static Elf64_auxv_t auxv[40];
static unsigned auxv_n;

const void *stack_auxv(uint32_t *bytes)
{
	*bytes = auxv_n * (uint32_t)sizeof(auxv[0]);
	return auxv;
}

uint64_t stack_build(uint64_t top, char *const argv[], char *const envp[], const char *exe, const struct elf_file *e,
		     const struct elf_mapped *prog, uint64_t interp_base)
{
	uint64_t argc, envc, text = strings_bytes(argv, &argc) + strings_bytes(envp, &envc) + strlen(exe) + 1;
	uint64_t words = 1 + argc + 1 + envc + 1, execfn, random, platform, sp = 0, *vec;
	struct builder b = { .top = top };
	char noise[16];
	unsigned n;

	b.bytes = b.sp = (text + words * 8 + sizeof(auxv) + 1024 + 63) & ~63UL;
	if (b.bytes > ARGS_BYTES_MAX || !(b.buf = malloc(b.bytes)) || !(vec = malloc(words * 8)))
		return 0;
	memset(b.buf, 0, b.bytes);
	b.sp -= 8;
	execfn = put(&b, exe, strlen(exe) + 1);
	list_put(&b, vec + 1 + argc + 1, envp, envc);
	list_put(&b, vec + 1, argv, argc);
	vec[0] = argc;
	platform = put(&b, "x86_64", 7);
	if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
		memset(noise, 1, sizeof(noise));
	random = put(&b, noise, sizeof(noise));
	n = auxv_n = auxv_fill(auxv, e, prog, interp_base, random, execfn, platform);
	b.sp &= ~15UL;
	if ((words * 8 + n * sizeof(auxv[0])) & 15)
		b.sp -= 8;
	put(&b, auxv, n * sizeof(auxv[0]));
	sp = put(&b, vec, words * 8);
	if (uaccess_out(sp, b.buf + b.sp, b.bytes - b.sp))
		sp = 0;
	free(vec);
	free(b.buf);
	return sp;
}
