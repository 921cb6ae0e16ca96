/*
 * exec in place: the next program is loaded into the dispatcher that is there. It keeps its process, its connections, its
 * member number and its part of the ExCache, and what Linux does to a process at execve is done here by hand. That is for
 * processes of one thread with nothing under the ExCache, as the child of a shell is; all others are the host kernel's
 * (exec.c), as are those that have done what only it undoes.
 */
#ifndef PCOMPONENT_PROC_EXEC_HERE_H
#define PCOMPONENT_PROC_EXEC_HERE_H
#include <stdbool.h>

struct load_found;
struct thread;

/* Can the calling thread's process go on as another program here? */
bool exec_here_may(struct thread *t);
/*
 * It does: the thread's frame is the new program's first instruction. name: of the process; found is let go. The caller's
 * copies of argv and envp are needed until it returns. What fails now ends the process.
 */
void exec_here(struct thread *t, struct load_found *found, const char *name, char **envp);
/* The process does something that exec in place would not undo (timers, capabilities): the host kernel's from now on. */
void exec_here_never(void);

#endif
