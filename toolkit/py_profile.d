#!/usr/sbin/dtrace -Zs
/*
 * py_profile.d: where a Python program spends its CPU time: its stacks, sampled 997 times a second.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_profile.d -p 24601
 *	sudo dtrace -s toolkit/py_profile.d -p 24601	(DTrace 2.0 for Linux has no jstack() yet)
 *
 * Let it run for some seconds, then Ctrl-C prints the 25 stacks that were seen most often, the most frequent last.
 * Only a thread that is on a CPU is sampled; with `catprobe -x profile=wall` those asleep or waiting are too.
 *
 * COLUMNS: a stack, the innermost function first, and below it in how many samples it was seen
 *
 * EXAMPLE: python -m tokenize of a long file, whose output is most of the work (the last two stacks of 25)
 *
 *	main (/usr/lib/python3.11/tokenize.py:668)
 *	<module> (/usr/lib/python3.11/tokenize.py:694)
 *	_run_code (<frozen runpy>:88)
 *	_run_module_as_main (<frozen runpy>:198)
 *	                 296
 *
 *	main (/usr/lib/python3.11/tokenize.py:667)
 *	<module> (/usr/lib/python3.11/tokenize.py:694)
 *	_run_code (<frozen runpy>:88)
 *	_run_module_as_main (<frozen runpy>:198)
 *	                1186
 */

#pragma D option quiet
#pragma D option jstackframes=50
#pragma D option jstackstrsize=8192

dtrace:::BEGIN
{
	printf("Sampling 997 times a second... Hit Ctrl-C to end.\n");
}

profile-997
/pid == $target/
{
	@stacks[jstack()] = count();
}

dtrace:::END
{
	trunc(@stacks, 25);
	printf("\nStacks by samples,\n");
	printa("%k%@20d\n", @stacks);
}
