/* In whose name files are touched; scomponent/identity.c says how. */
#ifndef SCOMPONENT_IDENTITY_H
#define SCOMPONENT_IDENTITY_H
#include <stdbool.h>
#include <stdint.h>

bool identity_can(uint32_t uid); /* may this component act for that user at all? */
/* From here on files are touched as this user and group. 0 or -errno: then nothing may be touched for it. */
int identity_take(uint32_t uid, uint32_t gid);

#endif
