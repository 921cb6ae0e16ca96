#!/bin/bash
# Signals in ordinary programs with little memory local: handlers of perl and python, a default death, a broken pipe.
. "$(dirname "$0")/functions.sh"
same_as_native 3M perl -e '
	my $n = 0;
	$SIG{USR1} = sub { $n++ };
	$SIG{ALRM} = sub { die "alarm\n" };
	my @a = map { "x" x ($_ % 50) } 1 .. 30000;
	for (1 .. 500) { kill USR1 => $$; $a[$_ * 7] .= "y"; }
	print "$n\n";
	eval { alarm 1; select(undef, undef, undef, 20); };
	print "got $@", length(join "", @a), "\n";
	kill TERM => $$;'
same_as_native 4M "$python" -c '
import signal, os, time
seen = []
signal.signal(signal.SIGUSR1, lambda s, f: seen.append(s))
table = {i: str(i) for i in range(40000)}
for i in range(300):
    os.kill(os.getpid(), signal.SIGUSR1)
    table[i * 3] += "x"
print(len(seen), sum(len(v) for v in table.values()))
n = 0
def tick(s, f):
    global n
    n += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
while n < 20:
    sum(len(v) for v in table.values())
signal.setitimer(signal.ITIMER_REAL, 0)
print("ticked")
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print("interrupted")
os.kill(os.getpid(), signal.SIGKILL)'
passed
