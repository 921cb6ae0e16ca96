/* Which Ethernet address is at which port. Bounded: a full table forgets the one that was heard longest ago. */
#ifndef VM_SWITCH_TABLE_H
#define VM_SWITCH_TABLE_H
#include <stdint.h>

#define MAC_BYTES 6
#define MAC_TABLE_MAX 256u

struct mac_table {
	unsigned n;
	uint64_t clock;
	struct {
		uint8_t mac[MAC_BYTES];
		unsigned port;
		uint64_t heard;
	} entry[MAC_TABLE_MAX];
};

/* A frame from mac came in at port. Addresses of groups are nobody's, and are not learned. */
void mac_learn(struct mac_table *, const uint8_t *mac, unsigned port);
/* Its port; -1: unknown, or a group. */
int mac_find(const struct mac_table *, const uint8_t *mac);

#endif
