/* Capabilities of the members of a tree; see cap.h. */
#include "ashlar/base/cap.h"
#include <sodium.h>

struct cap cap_of_member(const struct cap *tree, uint32_t member)
{
	static const char purpose[] = "ashlar member";
	crypto_generichash_state s;
	struct cap out;

	if (!member)
		return *tree;
	crypto_generichash_init(&s, (const uint8_t *)tree, sizeof(*tree), sizeof(out));
	crypto_generichash_update(&s, (const uint8_t *)purpose, sizeof(purpose));
	crypto_generichash_update(&s, (const uint8_t *)&member, sizeof(member));
	crypto_generichash_final(&s, (uint8_t *)&out, sizeof(out));
	return out;
}
