#!/usr/sbin/dtrace -Zs
/*
 * py_funccalls.d: how often each Python function was called.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_funccalls.d -p 24601
 *	sudo dtrace -s toolkit/py_funccalls.d -p 24601
 *
 * Let it run for some seconds, then Ctrl-C prints the table, the most frequent function last.
 *
 * COLUMNS
 *
 *	FILE	source file
 *	FUNC	function
 *	CALLS	how often it began; a generator or coroutine counts at each resume
 *
 * EXAMPLE: the cat server makes six videos
 *
 *	 FILE                             FUNC                                CALLS
 *	 demo.py                          new_cat_video                           6
 *	 random.py                        uniform                                 6
 *	 random.py                        _randbelow_with_getrandbits             8
 *	 random.py                        randint                                 8
 *	 random.py                        randrange                               8
 *	 demo.py                          find                                   38
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::function-entry
{
	@calls[arg0 ? basename(copyinstr(arg0)) : "?", arg1 ? copyinstr(arg1) : "?"] = count();
}

dtrace:::END
{
	printf(" %-32s %-32s %8s\n", "FILE", "FUNC", "CALLS");
	printa(" %-32s %-32s %@8d\n", @calls);
}
