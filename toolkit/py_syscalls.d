#!/usr/sbin/dtrace -Zs
/*
 * py_syscalls.d: how often each Python function and each system call was called.
 *
 * USAGE, for the process 24601 (system calls are the kernel's, so this one is for DTrace alone, as root):
 *
 *	sudo dtrace -s toolkit/py_syscalls.d -p 24601
 *
 * All system calls of the system have to be enabled, which takes DTrace for Linux up to some minutes. Those
 * of the thread with which catprobe listens are left out.
 *
 * Let it run for some seconds, then Ctrl-C prints the table, the most frequent last.
 *
 * COLUMNS
 *
 *	FILE	source file of the function; the program for a system call
 *	TYPE	func: a Python function; syscall: a system call
 *	NAME	function or system call
 *	COUNT	how often it began; a generator counts at each resume
 *
 * EXAMPLE: the cat server makes a video
 *
 *	Calls for PID 24601,
 *
 *	 FILE                             TYPE       NAME                      COUNT
 *	 demo.py                          func       new_cat_video                 1
 *	 python                           syscall    clock_nanosleep               1
 *	 python                           syscall    read                          1
 *	 random.py                        func       uniform                       1
 *	 demo.py                          func       find                          2
 *	 python                           syscall    pselect6                      3
 *	 python                           syscall    write                         8
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::function-entry
{
	@calls[arg0 ? basename(copyinstr(arg0)) : "?", "func", arg1 ? copyinstr(arg1) : "?"] = count();
}

syscall:::entry
/pid == $target && execname != "catprobe"/
{
	@calls[execname, "syscall", probefunc] = count();
}

dtrace:::END
{
	printf("\nCalls for PID %d,\n\n", $target);
	printf(" %-32s %-10s %-22s %8s\n", "FILE", "TYPE", "NAME", "COUNT");
	printa(" %-32s %-10s %-22s %@8d\n", @calls);
}
