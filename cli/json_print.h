/* The one form of --json. */
#ifndef CLI_JSON_PRINT_H
#define CLI_JSON_PRINT_H
#include <jansson.h>

/* Print to stdout, and give the reference up. 0, or EXIT_ASHLAR after one line. */
int json_print(json_t *);

#endif
