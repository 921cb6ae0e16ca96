/* Addresses of provider `local`: "local:/path", "local:@abstract", "local:auto". */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "net/local/local.h"

#define PREFIX "local:"
#define PREFIX_BYTES (sizeof(PREFIX) - 1)

/* The chosen name is abstract and cannot be guessed: it leaves no file, and nobody can take it before us. */
int local_address_auto(const char *addr, char *out)
{
	uint64_t r[2];

	if (strlen(addr) >= ADDR_BYTES)
		return -EINVAL;
	if (strcmp(addr, PREFIX "auto") != 0) {
		strcpy(out, addr);
		return 0;
	}
	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return -EIO;
	snprintf(out, ADDR_BYTES, PREFIX "@ashlar-%016llx%016llx", (unsigned long long)r[0], (unsigned long long)r[1]);
	return 0;
}

int local_address_parse(const char *addr, struct sockaddr_un *sa, socklen_t *len)
{
	size_t n;

	if (strncmp(addr, PREFIX, PREFIX_BYTES) != 0)
		return -EINVAL;
	addr += PREFIX_BYTES;
	n = strlen(addr);
	if ((addr[0] != '/' && addr[0] != '@') || n < 2 || n >= sizeof(sa->sun_path))
		return -EINVAL;
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, addr, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (addr[0] == '@')
		sa->sun_path[0] = '\0';
	else
		*len += 1;
	return 0;
}
