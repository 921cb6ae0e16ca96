#!/bin/bash
# perl with hashes and strings, a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
squeeze perl -e '
	use strict; use warnings;
	my (%h, @a);
	for my $i (1 .. 90000) { my $k = "k" . ($i * 7919 % 1000003); $h{$k} = $i; push @a, $k if $i % 3 == 0; }
	my $sum = 0;
	$sum += $h{$_} for @a;
	my @sorted = sort @a;
	warn "a warning goes to stderr\n";
	print scalar(keys %h), " $sum $sorted[0] $sorted[-1]\n";
	my $s = join(",", @sorted);
	my $n = () = $s =~ /k9[0-9]*5/g;
	print "$n\n";
	exit 3;'
passed
