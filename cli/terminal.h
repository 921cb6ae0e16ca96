/* The command's own terminal while it relays one: raw, given back as it was, and the way out by "~.". */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H
#include <stdbool.h>
#include <stddef.h>
#include "ashlar/proto/d2p.h"

/* Are stdin and stdout a terminal, with stderr as well or not? enum start_flags; the modes and the size are put in req. */
void terminal_describe(struct d2p_start_req *);
void terminal_window(struct window *);

/* Everything typed goes to the program, Ctrl-C too. Harmless when it is so already, or is not a terminal. */
void terminal_raw(void);
void terminal_restore(void);

/* At the beginning of a line: "~." asks to end the command, "~~" is one "~". Zero-initialised before the first use. */
struct escape {
	bool inside, held; /* of a line; a "~" that is kept back */
};
/* Of n bytes typed, what goes on (out has room for n + 1); true: the end is asked for. */
bool escape_filter(struct escape *, const char *typed, size_t n, char *out, size_t *n_out);

#endif
