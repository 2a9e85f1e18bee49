#!/usr/sbin/dtrace -Zs
/*
 * py_flowtime.d: every call and every return of Python functions with the time and the time since the one before.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_flowtime.d -p 24601
 *	sudo dtrace -s toolkit/py_flowtime.d -p 24601
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
 *	DELTA(us)	microseconds since the line before, of the same thread
 *	FUNC		-> is a call, or a generator resumed; <- a return, a yield or an exception that leaves
 *
 * EXAMPLE: the cat server makes a video
 *
 *	  C TIME(us)         FILE             DELTA(us)  -- FUNC
 *	  0 16777155931      demo.py                  0  -> find
 *	  0 16777155962      demo.py                 30    -> find
 *	  0 16777155968      demo.py                  5      -> new_cat_video
 *	  0 16777155976      random.py                8        -> uniform
 *	  0 16777155982      random.py                5        <- uniform
 *	  0 16777416271      demo.py             260289      <- new_cat_video
 *	  0 16777416279      demo.py                  8    <- find
 *	  0 16777416280      demo.py                  1  <- find
 */

#pragma D option quiet
#pragma D option switchrate=10

self int depth;		/* calls that are open */
self uint64_t last;	/* when this thread's last line was shown */

dtrace:::BEGIN
{
	printf("%3s %-16s %-16s %9s  -- %s\n", "C", "TIME(us)", "FILE", "DELTA(us)", "FUNC");
}

python$target:::function-entry
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";
	printf("%3d %-16d %-16s %9d  %*s-> %s\n", cpu, timestamp / 1000, this->file, this->delta,
	    self->depth * 2, "", this->func);
	self->depth++;
	self->last = timestamp;
}

/* A call that was open before we came returns at depth 0, and leaves it there. */
python$target:::function-return
{
	self->depth -= self->depth > 0;
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";
	printf("%3d %-16d %-16s %9d  %*s<- %s\n", cpu, timestamp / 1000, this->file, this->delta,
	    self->depth * 2, "", this->func);
	self->last = timestamp;
}
