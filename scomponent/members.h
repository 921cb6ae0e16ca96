/*
 * Members: the processes of one tree, as far as they have something here: a connection, or files that another member set
 * aside for them before they came. A member that has neither is not remembered.
 */
#ifndef SCOMPONENT_MEMBERS_H
#define SCOMPONENT_MEMBERS_H
#include <stdint.h>
#include "ashlar/base/list.h"
#include "scomponent/handles.h"

struct client;
struct process;

struct member {
	struct list link;
	uint32_t number;
	uint32_t clients; /* its connections */
	struct handle_named *aside;
	uint32_t n_aside, room;
};

/* A connection has proved to be the member's; the first takes what is set aside. 0 or -ENOMEM. */
int member_come(struct client *, uint32_t number);
/* The connection ends; its files are closed already. */
void member_gone(struct client *);
/*
 * Set open files of a connection aside; n 0: all of them. 0, or as p2s.h says of P2S_FORK; *files: how many. A failed one
 * has set nothing aside.
 */
int member_set_aside(struct client *, uint32_t number, const uint64_t *ids, uint32_t n, uint64_t *files);
/* The member is over: close what waits for it. */
void member_left(struct process *, uint32_t number);
void members_left(struct process *); /* all of them */

#endif
