/* ELF images: checked as hostile input, then mapped. */
#ifndef PCOMPONENT_LOAD_ELF_H
#define PCOMPONENT_LOAD_ELF_H
#include <elf.h>
#include <stdint.h>
#include "ashlar/proto/p2s.h"
#include "pcomponent/fs/fs.h"

#define ELF_PHDRS_MAX 64
#define ELF_STACK_EXEC 1

struct elf_file {
	struct fs_image *image;
	char path[4096]; /* canonical */
	uint64_t bytes, ino, dev;
	char head[P2S_EXEC_HEAD]; /* its first bytes */
	uint32_t head_bytes;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[ELF_PHDRS_MAX];
	char interp[4096]; /* "" : none */
};

struct elf_mapped {
	uint64_t bias, entry, phdr, end; /* end: behind the last segment, page aligned */
};

/* Open path to execute it, whatever kind of program it is: 0 or -errno. */
int elf_open(const char *path, struct elf_file *e);
/*
 * Check the headers of what is open. 0, or -errno with *why set to a reason where errno alone does not say it: -ENOEXEC no
 * ELF for this machine.
 */
int elf_read(struct elf_file *e, const char **why);
void elf_close(struct elf_file *e);
/* Map its segments; base: where a position independent image should start (0: wherever there is room). 0 or -errno. */
int elf_map(struct thread *t, const struct elf_file *e, uint64_t base, struct elf_mapped *out);

#endif
