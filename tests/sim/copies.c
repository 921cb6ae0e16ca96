/* The copies of the ExCache that are linked into this program: copy K has its names with cK_ in front (Makefile). */
#include "pcomponent/excache/backing.h"
#include "rack.h"

#define COPY(c)                                                                           \
	int c##_excache_open(const struct excache_config *);                              \
	void c##_excache_close(void);                                                     \
	unsigned c##_excache_watch_fds(int *, unsigned);                                  \
	void c##_excache_watch_dead(int);                                                 \
	int c##_excache_port_open(struct excache_port **);                                \
	void c##_excache_port_close(struct excache_port *);                               \
	int c##_excache_register(uint64_t, uint64_t);                                     \
	void c##_excache_forget(uint64_t, uint64_t);                                      \
	int c##_excache_fault(struct excache_port *, uint64_t, bool, uint64_t, uint64_t); \
	void c##_excache_flush(void);                                                     \
	void c##_backing_usage(struct backing_usage *);                                   \
	int c##_excache_fork_prepare(uint32_t);                                           \
	void c##_excache_fork_parent(void);                                               \
	uint64_t *c##_lines_peek(uint64_t);                                               \
	uint32_t c##_backing_slab(uint64_t, uint64_t *, uint32_t *);
#define API(c)                                                                                                   \
	{                                                                                                        \
		c##_excache_open, c##_excache_close, c##_excache_watch_fds, c##_excache_watch_dead,              \
			c##_excache_port_open, c##_excache_port_close, c##_excache_register, c##_excache_forget, \
			c##_excache_fault, c##_excache_flush, c##_backing_usage, c##_excache_fork_prepare,       \
			c##_excache_fork_parent, c##_lines_peek, c##_backing_slab                                \
	}

COPY(c0)
COPY(c1)
COPY(c2)
const struct excache_api excache_copy[SLOTS] = { API(c0), API(c1), API(c2) };
