#!/usr/sbin/dtrace -Zs
/*
 * a_py_flowinfo.d: every call and every return of a Python program, as it happens, indented by stack depth.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s d_demo/a_py_flowinfo.d -p 24601 [FUNCTION]
 *
 * or as root, by a tracer of the system; for bpftrace the script has a twin:
 *	sudo dtrace -s d_demo/a_py_flowinfo.d -p 24601 [FUNCTION]
 *	sudo bpftrace --no-warnings -p 24601 d_demo/a_py_flowinfo.bt [FUNCTION]
 *
 * With a FUNCTION, only the calls of functions of that name are shown. Ctrl-C ends. (-Z before the -s lets it
 * run with an interpreter that has no gc probes.)
 *
 * COLUMNS
 *
 *	C		the CPU that it ran on
 *	PID		the process
 *	DELTA(us)	microseconds since the line before, of the same thread
 *	FILE:LINE	source file, and the line of the `def` or of the return
 *	TYPE		func: a Python function; gc: the garbage collector
 *	FUNC		-> is a call, or a generator resumed; <- a return, a yield or an exception that leaves
 *
 * A function that was running already when the tracing began shows its return only. A name that the interpreter
 * cannot give is a question mark. dtrace has a buffer for each CPU, and may shuffle lines of several threads: when
 * C changes, look twice. (catprobe shows all lines in the order of time.)
 *
 * EXAMPLE: a search of the cat server, of depth 2
 *
 *	C    PID  DELTA(us)              FILE:LINE TYPE     -- FUNC
 *	0  24601          0           demo.py:28   func     -> find
 *	0  24601         14           demo.py:28   func       -> find
 *	0  24601         12           demo.py:37   func         -> new_cat_video
 *	0  24601     262491           demo.py:40   func         <- new_cat_video
 *	0  24601         29           demo.py:34   func       <- find
 *	0  24601         13           demo.py:32   func     <- find
 */

#pragma D option quiet
#pragma D option defaultargs
#pragma D option switchrate=10

self int depth;		/* calls that are open */
self int step;		/* 1: a call, -1: a return, 0: nothing to show */
self uint64_t last;	/* when this thread's last line was shown */

/*
 * The predicate for one function, to be copied to two places: as the line below `function-entry`, and as the line
 * below `function-return`. They are deaf to every other function then. (A FUNCTION on the command line does the
 * same without an editor.)
 *
/copyinstr(arg1) == "new_cat_video"/
 */

dtrace:::BEGIN
{
	printf("%s %6s %10s  %16s:%-4s %-8s -- %s\n", "C", "PID", "DELTA(us)", "FILE", "LINE", "TYPE", "FUNC");
}

python$target:::gc-start
/$$1 == ""/
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	printf("%d %6d %10d  %16s:%-4s %-8s %*s-> generation %d\n", cpu, pid, this->delta, "-", "-", "gc",
	    self->depth * 2, "", (int)arg0);
	self->last = timestamp;
	self->depth++;
}

/*
 * Entry and return say which way it goes, if a predicate lets them; the clause behind them shows it.
 */
python$target:::function-entry
{
	self->step = 1;
}

/*
 * The other way. A call that was open before we came returns at depth 0, and leaves it there:
 * depth is what we have seen.
 */

python$target:::function-return
{
	self->step = -1;
}

python$target:::function-*
/self->step && ($$1 == "" || (arg1 != 0 && copyinstr(arg1) == $$1))/
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";

	self->depth -= self->step < 0 && self->depth > 0;
	printf("%d %6d %10d  %16s:%-4d %-8s %*s%s %s\n", cpu, pid, this->delta, this->file, (int)arg2, "func",
	    self->depth * 2, "", self->step > 0 ? "->" : "<-", this->func);
	self->depth += self->step > 0;

	self->last = timestamp;
	self->step = 0;
}

python$target:::gc-done
/$$1 == ""/
{
	self->depth -= self->depth > 0;
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	printf("%d %6d %10d  %16s:%-4s %-8s %*s<- collected %d\n", cpu, pid, this->delta, "-", "-", "gc",
	    self->depth * 2, "", (int)arg0);
	self->last = timestamp;
}
