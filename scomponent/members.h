/*
 * Members: the processes of one tree, as far as they have something here: a connection, or files that another member set
 * aside for them before they came. A member that has neither is not remembered.
 */
#ifndef SCOMPONENT_MEMBERS_H
#define SCOMPONENT_MEMBERS_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/list.h"
#include "scomponent/handles.h"

struct client;
struct p2s_fork_req;
struct process;

struct member {
	struct list link;
	uint32_t number;
	uint32_t clients; /* its connections */
	bool heir;	  /* of the locks of member `of`, when that is gone */
	uint32_t of;
	uint64_t owner;			    /* of record locks: locks.h */
	uint64_t waits_for, waits_until_ns; /* another owner; 0: nobody */
	struct handle_named *aside;
	uint32_t n_aside, room;
};

/* A connection has proved to be the member's; the first takes what is set aside. 0 or -ENOMEM. */
int member_come(struct client *, uint32_t number);
/* The connection ends; its files are closed already. */
void member_gone(struct client *);
/* P2S_FORK: set open files of a connection aside. *files: how many. */
int member_set_aside(struct client *, const struct p2s_fork_req *, const uint64_t *ids, uint64_t *files);
/* The member is over: close what waits for it. */
void member_left(struct process *, uint32_t number);
void members_left(struct process *); /* all of them */

#endif
