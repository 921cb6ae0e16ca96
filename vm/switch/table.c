/* See table.h. */
#include <string.h>
#include "vm/switch/table.h"

static int find(const struct mac_table *t, const uint8_t *mac)
{
	for (unsigned i = 0; i < t->n; i++)
		if (memcmp(t->entry[i].mac, mac, MAC_BYTES) == 0)
			return (int)i;
	return -1;
}

void mac_learn(struct mac_table *t, const uint8_t *mac, unsigned port)
{
	int i = find(t, mac);

	if (mac[0] & 1)
		return;
	if (i < 0 && t->n < MAC_TABLE_MAX)
		i = (int)t->n++;
	if (i < 0) {
		i = 0;
		for (unsigned j = 1; j < t->n; j++)
			if (t->entry[j].heard < t->entry[i].heard)
				i = (int)j;
	}
	memcpy(t->entry[i].mac, mac, MAC_BYTES);
	t->entry[i].port = port;
	t->entry[i].heard = ++t->clock;
}

int mac_find(const struct mac_table *t, const uint8_t *mac)
{
	int i = mac[0] & 1 ? -1 : find(t, mac);

	return i < 0 ? -1 : (int)t->entry[i].port;
}
