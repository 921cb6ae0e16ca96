/* The placement policies by name. A new one: a file place_NAME.c and a line here. */
#include <stddef.h>
#include <string.h>
#include "gmm/place.h"

static const struct place_policy *const policies[] = {
	&place_balance, /* the first is the default */
};

const struct place_policy *place_policy(const char *name)
{
	if (!name)
		return policies[0];
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	return NULL;
}
