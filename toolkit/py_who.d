#!/usr/sbin/dtrace -Zs
/*
 * py_who.d: who runs which files of Python: the calls that each process made in each file.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_who.d -p 24601
 *	sudo dtrace -s toolkit/py_who.d -p 24601
 *
 * Let it run for some seconds, then Ctrl-C prints the table, the busiest file last.
 *
 * COLUMNS
 *
 *	PID	the process
 *	UID	its user
 *	FUNCS	calls of functions of that file
 *	FILE	source file, with its folders
 *
 * EXAMPLE: the cat server makes six videos
 *
 *	      PID    UID  FUNCS FILE
 *	    24601   1000     30 /usr/lib/python3.11/random.py
 *	    24601   1000     44 /srv/cats/catdemo/demo.py
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::function-entry
{
	@calls[pid, uid, arg0 ? copyinstr(arg0) : "?"] = count();
}

dtrace:::END
{
	printf("   %6s %6s %6s %s\n", "PID", "UID", "FUNCS", "FILE");
	printa("   %6d %6d %@6d %s\n", @calls);
}
