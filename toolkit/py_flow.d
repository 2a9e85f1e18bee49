#!/usr/sbin/dtrace -Zs
/*
 * py_flow.d: every call and every return of Python functions with the time, indented by stack depth.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_flow.d -p 24601
 *	sudo dtrace -s toolkit/py_flow.d -p 24601
 *
 * Ctrl-C ends. A function that was running already when the tracing began shows its return alone. A name that the
 * interpreter cannot give is a question mark. Each CPU has a buffer of its own in DTrace, so lines of several
 * threads may be shuffled: when C changes, look at TIME(us).
 *
 * COLUMNS
 *
 *	C		the CPU that it ran on
 *	TIME(us)	microseconds on the system's clock
 *	FILE		source file
 *	FUNC		-> is a call, or a generator resumed; <- a return, a yield or an exception that leaves
 *
 * EXAMPLE: the cat server makes a video
 *
 *	  C TIME(us)         FILE             -- FUNC
 *	  0 16776569395      demo.py          -> find
 *	  0 16776569424      demo.py            -> find
 *	  0 16776569430      demo.py              -> new_cat_video
 *	  0 16776569439      random.py              -> uniform
 *	  0 16776569446      random.py              <- uniform
 *	  0 16776702343      demo.py              <- new_cat_video
 *	  0 16776702346      demo.py            <- find
 *	  0 16776702347      demo.py          <- find
 */

#pragma D option quiet
#pragma D option switchrate=10

self int depth;		/* calls that are open */

dtrace:::BEGIN
{
	printf("%3s %-16s %-16s -- %s\n", "C", "TIME(us)", "FILE", "FUNC");
}

python$target:::function-entry
{
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";
	printf("%3d %-16d %-16s %*s-> %s\n", cpu, timestamp / 1000, this->file, self->depth * 2, "", this->func);
	self->depth++;
}

/* A call that was open before we came returns at depth 0, and leaves it there. */
python$target:::function-return
{
	self->depth -= self->depth > 0;
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";
	printf("%3d %-16d %-16s %*s<- %s\n", cpu, timestamp / 1000, this->file, self->depth * 2, "", this->func);
}
