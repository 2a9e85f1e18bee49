#!/usr/sbin/dtrace -Zs
/*
 * py_args.d: the arguments of the probes function-entry and function-return, as they come.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_args.d -p 24601
 *	sudo dtrace -s toolkit/py_args.d -p 24601
 *
 * Ctrl-C ends. It is the shortest way to see whether the probes fire, and with what; py_flow.d is easier to read.
 *
 * COLUMNS
 *
 *	FILE	arg0: source file, with its folders
 *	FUNC	arg1: function
 *	LINE	arg2: at the entry the line of its `def`, at the return the line where it is left
 *
 * EXAMPLE: the cat server makes a video
 *
 *	                                                        FILE             FUNC   LINE
 *	                                   /srv/cats/catdemo/demo.py             find     28
 *	                                   /srv/cats/catdemo/demo.py             find     28
 *	                                   /srv/cats/catdemo/demo.py    new_cat_video     37
 *	                               /usr/lib/python3.11/random.py          uniform    520
 *	                               /usr/lib/python3.11/random.py          uniform    522
 *	                                   /srv/cats/catdemo/demo.py    new_cat_video     40
 *	                                   /srv/cats/catdemo/demo.py             find     34
 *	                                   /srv/cats/catdemo/demo.py             find     32
 */

#pragma D option quiet
#pragma D option switchrate=10

dtrace:::BEGIN
{
	printf("%60s %16s %6s\n", "FILE", "FUNC", "LINE");
}

python$target:::function-entry,
python$target:::function-return
{
	printf("%60s %16s %6d\n", arg0 ? copyinstr(arg0) : "?", arg1 ? copyinstr(arg1) : "?", (int)arg2);
}
