/*
 * System calls as the dispatcher serves them. sys/syscalls.def is the one table: number, name, handler, level of
 * support, arguments. A handler gets the calling thread and the six raw arguments and returns a value or -errno. It runs
 * on a local stack with the program's signals blocked; it may use malloc, locks and libc, and touches program memory only
 * through uaccess.h. What may block in the host kernel goes through host_block (program signals get in, EINTR and
 * restart as on Linux).
 */
#ifndef PCOMPONENT_SYS_SYS_H
#define PCOMPONENT_SYS_SYS_H
#include <stdint.h>

struct thread;
typedef long sys_fn(struct thread *t, const uint64_t a[6]);

/* The host kernel's call with local arguments, signals blocked: must not block for long. Value or -errno. */
long host_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
#define host0(nr) host_call(nr, 0, 0, 0, 0, 0, 0)
#define host1(nr, a) host_call(nr, (uint64_t)(a), 0, 0, 0, 0, 0)
#define host2(nr, a, b) host_call(nr, (uint64_t)(a), (uint64_t)(b), 0, 0, 0, 0)
#define host3(nr, a, b, c) host_call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)
#define host4(nr, a, b, c, d) host_call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)

/*
 * The same for calls that may block: the thread's program mask is in force during it. When a program signal comes first
 * the call is not made (or undone by the host kernel) and -SYS_RESTART is returned: the handler must return that value
 * unchanged as soon as nothing has been done yet; the program's call instruction is then repeated after its signal handler, or
 * EINTR is seen, as Linux would have it. If something was done (bytes moved) return that instead.
 */
#define SYS_RESTART 512
long host_block(struct thread *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		uint64_t a5);

/*
 * Scratch memory, local, for copies of arguments: valid until the call ends, freed by the caller of the handler. NULL:
 * too much (answer -ENOMEM). Small sizes cost no malloc.
 */
void *sys_scratch(struct thread *t, uint64_t bytes);
/* Give all of it back before the call ends. */
void sys_scratch_reset(struct thread *t);
#define SYS_SCRATCH_MAX (64u << 20)
#define SYS_PIECE_BYTES (256u << 10) /* streams are moved in pieces of this size */

/* One line on stderr for the user, "ashlar: ..." (not for each call: say once what is said often). */
void sys_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
