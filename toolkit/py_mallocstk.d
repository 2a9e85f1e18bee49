#!/usr/sbin/dtrace -Zs
/*
 * py_mallocstk.d: the memory that a Python program asks its allocator for, by the stack that asked.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_mallocstk.d -p 24601
 *	sudo dtrace -s toolkit/py_mallocstk.d -p 24601	(DTrace 2.0 for Linux has no jstack() yet)
 *
 * Let it run for some seconds, then Ctrl-C prints the 25 stacks that asked for most bytes, the greediest last.
 *
 * COLUMNS: a stack, the innermost function first, and below it
 *
 *	value		bytes of one piece, from this power of two up to the next
 *	Distribution	the share of the pieces of that size
 *	count		how many they were
 *
 * EXAMPLE: the cat server makes some videos (one stack of many)
 *
 *	Python malloc byte distributions by stack trace,
 *
 *	              _randbelow_with_getrandbits (/usr/lib/python3.11/random.py:238)
 *	              randrange (/usr/lib/python3.11/random.py:344)
 *	              randint (/usr/lib/python3.11/random.py:362)
 *	              go (/srv/cats/catdemo/demo.py:22)
 *	              main (/srv/cats/catdemo/__main__.py:33)
 *	              <module> (/srv/cats/catdemo/__main__.py:37)
 *
 *	           value  ------------- Distribution ------------- count
 *	              32 |                                         0
 *	              64 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 15
 *	             128 |                                         0
 */

#pragma D option quiet
#pragma D option jstackframes=20
#pragma D option jstackstrsize=4096

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::mem-alloc
{
	@sizes[jstack()] = quantize(arg0);
}

dtrace:::END
{
	trunc(@sizes, 25);
	printf("\nPython malloc byte distributions by stack trace,\n");
	printa(@sizes);
}
