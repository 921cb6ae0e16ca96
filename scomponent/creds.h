/*
 * Who a process is, as a storage component knows it: as it came, and what it became since (P2S_CREDS). It says itself what
 * it became, and is believed as far as Linux would have allowed it: it may give up what it has, change between what it has,
 * and, when it came as root, become anyone as long as it has not said that it cannot any more. So a connection never reaches
 * more than the kernel's proof of its beginning gave it, and never again what it gave up.
 */
#ifndef SCOMPONENT_CREDS_H
#define SCOMPONENT_CREDS_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/proto/p2s.h"

struct creds {
	uint32_t uid[CREDS_WHICH], gid[CREDS_WHICH];
	uint32_t n_groups;
	uint32_t *groups; /* its own; NULL: none */
	uint32_t caps;	  /* CREDS_SETUID, CREDS_SETGID */
	bool nobody;	  /* a change was not believed: nothing but the data of open files is served */
};

/* One user, one group, and the supplementary groups given (copied). 0 or -ENOMEM. Overwrites *c. */
int creds_begin(struct creds *c, uint32_t uid, uint32_t gid, const uint32_t *groups, uint32_t n_groups);
/* 0; -EPERM: may not be, and it is nobody from now on; -ENOMEM: likewise. n_groups <= CREDS_GROUPS_MAX. */
int creds_change(struct creds *c, const struct p2s_creds_req *to, const uint32_t *groups, uint32_t n_groups);
void creds_end(struct creds *c);

#endif
