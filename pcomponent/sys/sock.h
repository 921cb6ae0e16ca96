/* What the calls on sockets share: names, and whether a socket keeps message borders. */
#ifndef PCOMPONENT_SYS_SOCK_H
#define PCOMPONENT_SYS_SOCK_H
#include <stdbool.h>
#include <stdint.h>

struct thread;

#define SOCK_NAME_BYTES 128u /* the longest, of any family */

/*
 * A name that the program passes. 0; -EINVAL: too long; -EFAULT. The name of a Unix socket that is a path begins where
 * the program's working directory is, on this machine: -ENOENT if there is none.
 */
long sock_name_in(char local[SOCK_NAME_BYTES], uint64_t addr, uint64_t bytes);
/* A name of so many bytes, or as much of it as there is room for; *len_at says how much. 0, -EINVAL, -EFAULT. */
long sock_name_out(uint64_t addr, uint64_t len_at, const char *local, uint32_t bytes);
/* A stream may be sent and received in pieces. */
bool sock_is_stream(int fd);
/* ioctl SIOCGIFCONF: the machine's interfaces. 0 or -errno. */
long sock_ifconf(struct thread *, int fd, uint64_t arg);

#endif
