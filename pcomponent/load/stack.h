/* The first stack of a program, as the System V ABI for x86-64 lays it out. */
#ifndef PCOMPONENT_LOAD_STACK_H
#define PCOMPONENT_LOAD_STACK_H
#include <stdint.h>

struct elf_file;
struct elf_mapped;

/* Strings, argv, envp and the auxiliary vector below top. The stack pointer, or 0: too much. */
uint64_t stack_build(uint64_t top, char *const argv[], char *const envp[], const char *exe, const struct elf_file *e,
		     const struct elf_mapped *prog, uint64_t interp_base);

/* The auxiliary vector of the last one that was built; its length in bytes. */
const void *stack_auxv(uint32_t *bytes);

#endif
