/* Sizes as people write them: 4096, 64K, 64M, 2G, 1T (powers of 1024; lower case too). */
#ifndef ASHLAR_BASE_SIZE_H
#define ASHLAR_BASE_SIZE_H
#include <stdint.h>

/* Parse the whole of s. 0, or -EINVAL (not a size), -ERANGE (above 2^63). */
int size_parse(const char *s, uint64_t *bytes);

/* Print bytes with the largest unit that divides it into buf (at least 24 bytes); returns buf. */
char *size_format(uint64_t bytes, char *buf);

#endif
