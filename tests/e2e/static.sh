#!/bin/bash
# Static, static position independent and position dependent programs run as well as the usual kind.
# also: asan 6.1
. "$(dirname "$0")/functions.sh"
requires gcc
cat >p.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int data[3000] = { 1, 2, 3 };
static char bss[3 << 20];
static __thread int tls = 5;
static const char *const names[] = { "a", "b" };
static void *other(void *arg) { tls++; return (void *)(long)(tls + *(int *)arg); }
int main(int argc, char **argv)
{
	pthread_t t;
	void *back;
	unsigned long sum = 0;
	memset(bss, 3, sizeof(bss));
	for (int k = 0; k < 3; k++)
		for (unsigned i = 0; i < sizeof(bss); i++)
			sum += (unsigned char)bss[i]++;
	if (pthread_create(&t, NULL, other, &data[1]) || pthread_join(t, &back))
		return 1;
	printf("%d %s %lu %d %ld %d %s\n", argc, argv[1], sum, tls, (long)back, data[2], names[1]);
	return 7;
}
END
for how in "-static" "-static-pie" "-no-pie" "-pie -fPIE" "-pie -fPIE -Wl,-z,now" "-no-pie -Wl,-z,norelro" "-Wl,--hash-style=sysv"; do
	# shellcheck disable=SC2086
	gcc -O1 -pthread $how -o p p.c || fail "cannot build with $how"
	echo "gcc $how"
	same_as_native 1M ./p x
	same_as_native 1G ./p x
done
passed
