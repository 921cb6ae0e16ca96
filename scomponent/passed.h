/*
 * Passed: open files that one process of a tree sends another in a message (SCM_RIGHTS). The message itself goes by the host
 * kernel of their machine, and says which file by a token that nobody can guess. A file on its way is kept open here, also
 * when nobody else has it; how long, p2s.h says (P2S_PASS).
 */
#ifndef SCOMPONENT_PASSED_H
#define SCOMPONENT_PASSED_H
#include <stdint.h>
#include "ashlar/base/cap.h"
#include "ashlar/base/list.h"

struct handle;
struct process;

/* An open file that has a token; as long as it is open. */
struct passed {
	struct list link; /* of its tree: passed last is last */
	struct process *process;
	struct handle *file;
	struct cap token;
	uint32_t on_way; /* so often passed and not taken; one reference to the file where > 0 */
	uint64_t passed_ns;
};

/* The file is closed for good. */
void passed_closed(struct handle *);
/* The tree is over: nothing of it is on its way any more. */
void passed_end(struct process *);

#endif
