/* Pins: ranges of pages that the evictor leaves alone. Changed with faults excluded, looked at by the evictor. */
#ifndef PCOMPONENT_EXCACHE_PIN_H
#define PCOMPONENT_EXCACHE_PIN_H
#include <stdbool.h>
#include <stdint.h>

bool pin_has(uint64_t vpn);
/* No pins are left. */
void pin_close(void);

#endif
