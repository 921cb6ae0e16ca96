/*
 * The resizer: the helper thread of the dispatcher that gives local memory back when the budget shrinks, also while the program
 * sleeps or waits in a system call. The service thread hands it a budget and hears of the end by a descriptor. It is not
 * the service thread itself, as evicting waits for memory components, whose end that one must see. It also writes core
 * files and reads behind the program what it has mapped of files, for the same reason.
 */
#ifndef PCOMPONENT_PROC_RESIZE_H
#define PCOMPONENT_PROC_RESIZE_H
#include <stdbool.h>
#include <stdint.h>
#include "pcomponent/proc/core.h"

/* Before the service thread, once. 0 or -errno. */
int resize_open(void);
/* Polls readable when resize_done has something. */
int resize_fd(void);
/* The service thread: keep to this budget. One at a time. */
void resize_ask(uint64_t budget_bytes);
/* The service thread: true once for each resize_ask, when it is through; *err 0, or -errno: the budget is as before. */
bool resize_done(int *err);
/* The service thread: write a core file to fd, which stays the caller's. One at a time. */
void resize_core_ask(int fd);
/* The service thread: true once for each resize_core_ask, when it is through. */
bool resize_core_done(struct core_result *r);
/* The service thread, once: read what is mapped of files, as long as that fits. */
void resize_read_ask(void);
/* The program is about to start: what was asked for until now begins. */
void resize_begin(void);

/* Between these no change begins, and none is under way. */
void resize_block(void);
void resize_unblock(void);
struct thread;
/* Blocked: the calling program thread carries a change out itself. 0 or -errno: all is as before. */
int resize_to(struct thread *t, uint64_t bytes);
/* In the child of a fork: as before resize_open, and nothing blocked. */
void resize_forked(void);

#endif
