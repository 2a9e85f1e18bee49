#!/usr/sbin/dtrace -Zs
/*
 * py_syscolors.d: every call and every return of Python functions and of system calls, as it happens, in colours:
 * violet for Python, blue for its garbage collector, green for the kernel.
 *
 * USAGE, for the process 24601 (system calls are the kernel's, so this one is for DTrace alone, as root):
 *
 *	sudo dtrace -s toolkit/py_syscolors.d -p 24601
 *
 * All system calls of the system have to be enabled, which takes DTrace for Linux up to some minutes. Those
 * of the thread with which catprobe listens are left out.
 *
 * Ctrl-C ends. A function that was running already when the tracing began shows its return alone. A name that the
 * interpreter cannot give is a question mark. Each CPU has a buffer of its own, so lines of several threads may be
 * shuffled: when C changes, look twice.
 *
 * COLUMNS
 *
 *	C		the CPU that it ran on
 *	PID		the process
 *	DELTA(us)	microseconds since the line before, of the same thread
 *	FILE:LINE	source file, and the line of the `def` or of the return
 *	TYPE		func: a Python function; gc: the garbage collector; syscall: a system call
 *	NAME		-> is a call, or a generator resumed; <- a return, a yield or an exception that leaves
 *
 * EXAMPLE: the cat server makes a video (the colours are not shown here)
 *
 *	C    PID  DELTA(us)              FILE:LINE TYPE     -- NAME
 *	0  24601         21           demo.py:28   func       -> find
 *	0  24601         37                 -:-    syscall      -> write
 *	0  24601         27                 -:-    syscall      <- write
 *	0  24601         10                 -:-    syscall      -> write
 *	0  24601          8                 -:-    syscall      <- write
 *	0  24601         14           demo.py:28   func         -> find
 *	0  24601         10                 -:-    syscall        -> write
 *	0  24601         16                 -:-    syscall        <- write
 *	0  24601          8                 -:-    syscall        -> write
 *	0  24601          8                 -:-    syscall        <- write
 *	0  24601         11           demo.py:37   func           -> new_cat_video
 *	0  24601         17         random.py:520  func             -> uniform
 *	0  24601         19         random.py:522  func             <- uniform
 *	0  24601         22                 -:-    syscall          -> clock_nanosleep
 *	0  24601     171738                 -:-    syscall          <- clock_nanosleep
 *	0  24601         81                 -:-    syscall          -> write
 *	0  24601         32                 -:-    syscall          <- write
 *	0  24601         60                 -:-    syscall          -> write
 *	0  24601          9                 -:-    syscall          <- write
 *	0  24601         54           demo.py:40   func           <- new_cat_video
 *	0  24601         16           demo.py:34   func         <- find
 *	0  24601         10           demo.py:32   func       <- find
 */

#pragma D option quiet
#pragma D option switchrate=10

self int depth;		/* what has begun and not ended */
self uint64_t last;	/* when this thread's last line was shown */

dtrace:::BEGIN
{
	printf("%s %6s %10s  %16s:%-4s %-8s -- %s\n", "C", "PID", "DELTA(us)", "FILE", "LINE", "TYPE", "NAME");
}

/* What began before we came ends at depth 0, and leaves it there. */
python$target:::function-return,
python$target:::gc-done
{
	self->depth -= self->depth > 0;
}

python$target:::function-*
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";
	printf("\033[2;35m%d %6d %10d  %16s:%-4d %-8s %*s%s %s\033[0m\n", cpu, pid, this->delta, this->file, (int)arg2,
	    "func", self->depth * 2, "", probename == "function-entry" ? "->" : "<-", this->func);
	self->last = timestamp;
}

python$target:::gc-*
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	printf("\033[2;34m%d %6d %10d  %16s:%-4s %-8s %*s%s %s %d\033[0m\n", cpu, pid, this->delta, "-", "-", "gc",
	    self->depth * 2, "", probename == "gc-start" ? "->" : "<-",
	    probename == "gc-start" ? "generation" : "collected", (int)arg0);
	self->last = timestamp;
}

python$target:::function-entry,
python$target:::gc-start
{
	self->depth++;
}

syscall:::
/pid == $target && execname != "catprobe"/
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	printf("\033[2;32m%d %6d %10d  %16s:%-4s %-8s %*s%s %s\033[0m\n", cpu, pid, this->delta, "-", "-", "syscall",
	    self->depth * 2, "", probename == "entry" ? "->" : "<-", probefunc);
	self->last = timestamp;
}
