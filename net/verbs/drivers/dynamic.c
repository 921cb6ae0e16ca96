/* For programs linked with libibverbs.so: it finds its drivers itself, as plug-ins. */
#include "net/verbs/verbs.h"

void vb_drivers(void)
{
}
