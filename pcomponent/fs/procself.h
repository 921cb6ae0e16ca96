/* /proc/self as the program should see it: links to its own files, texts about itself. */
#ifndef PCOMPONENT_FS_PROCSELF_H
#define PCOMPONENT_FS_PROCSELF_H
#include <stdbool.h>
#include "pcomponent/fs/path.h"

/*
 * p is a PATH_HOST with a normal path. Look whether it leads through our own /proc entry (or /dev/fd, /dev/stdin ...), and
 * mark or change p accordingly; it may become a PATH_REMOTE. 0 or -errno.
 */
long procself_route(struct path *p, unsigned flags);

/* The descriptor that an absolute path stands for by its text (/proc/self/fd/N, /dev/fd/N), open or not; -1: none. */
int procself_number(const char *path);

/* Text of a VIRT_LINK_*: its length, or -errno. buf has PATH_MAX + 16 bytes. */
long procself_link(const struct path *p, char *buf);

/* Open a VIRT_MAPS, _SMAPS, _STATM, _STAT, _CMDLINE or _STATUS: a descriptor of the program, or -errno. flags: O_* of the open. */
long proctext_open(const struct path *p, unsigned flags);

/* What VIRT_CMDLINE shows, and what others see in /proc/PID/{cmdline,environ}: copies are made. Either may be NULL. */
void proctext_words(char *const argv[], char *const envp[]);
/*
 * Let the host kernel show these arguments, and the environment behind them, to others, as far as it can (ps). Bytes of each;
 * text stays until it is told of another.
 */
void procargs_publish(const char *text, size_t args, size_t env);

#endif
