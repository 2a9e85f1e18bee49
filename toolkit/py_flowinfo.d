#!/usr/sbin/dtrace -Zs
/*
 * py_flowinfo.d: every call and every return of Python functions, every import and every garbage collection, as it
 * happens, with its file and line.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_flowinfo.d -p 24601
 *	sudo dtrace -s toolkit/py_flowinfo.d -p 24601
 *
 * Ctrl-C ends. A function that was running already when the tracing began shows its return alone. A name that the
 * interpreter cannot give is a question mark. Each CPU has a buffer of its own in DTrace, so lines of several
 * threads may be shuffled: when C changes, look twice. (d_demo/a_py_flowinfo.d shows one function alone if asked to.)
 *
 * COLUMNS
 *
 *	C		the CPU that it ran on
 *	PID		the process
 *	DELTA(us)	microseconds since the line before, of the same thread
 *	FILE:LINE	source file, and the line of the `def` or of the return
 *	TYPE		func: a Python function; import: a module that is not loaded yet is looked for and loaded;
 *			gc: the garbage collector
 *	FUNC		-> is a call, or a generator resumed; <- a return, a yield or an exception that leaves
 *
 * EXAMPLE: a program collects garbage and imports a module (importlib's own calls left out)
 *
 *	C    PID  DELTA(us)              FILE:LINE TYPE     -- FUNC
 *	0  24601         22     everything.py:66   func       -> collect
 *	0  24601          8                 -:-    gc           -> generation 2
 *	0  24601       2267                 -:-    gc           <- collected 0
 *	0  24601         14                 -:-    gc           -> generation 1
 *	0  24601          3                 -:-    gc           <- collected 5
 *	0  24601          3     everything.py:74   func       <- collect
 *	0  24601          2          <string>:1    func     <- <module>
 *	0  24601       5749          <string>:0    func     -> <module>
 *	0  24601          9     everything.py:77   func       -> imports
 *	0  24601         10                 -:-    import       -> imported
 *	0  24601          1       imported.py:0    func                     -> <module>
 *	0  24601          0       imported.py:1    func                     <- <module>
 *	0  24601          0                 -:-    import       <- imported
 */

#pragma D option quiet
#pragma D option switchrate=10

self int depth;		/* what has begun and not ended */
self uint64_t last;	/* when this thread's last line was shown */

dtrace:::BEGIN
{
	printf("%s %6s %10s  %16s:%-4s %-8s -- %s\n", "C", "PID", "DELTA(us)", "FILE", "LINE", "TYPE", "FUNC");
}

/* What began before we came ends at depth 0, and leaves it there. */
python$target:::function-return,
python$target:::import-find-load-done,
python$target:::gc-done
{
	self->depth -= self->depth > 0;
}

python$target:::function-*,
python$target:::import-*,
python$target:::gc-*
{
	this->delta = self->last ? (timestamp - self->last) / 1000 : 0;
	self->last = timestamp;
}

python$target:::function-*
{
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->func = arg1 ? copyinstr(arg1) : "?";
	printf("%d %6d %10d  %16s:%-4d %-8s %*s%s %s\n", cpu, pid, this->delta, this->file, (int)arg2, "func",
	    self->depth * 2, "", probename == "function-entry" ? "->" : "<-", this->func);
}

python$target:::import-find-load-start
{
	this->module = arg0 ? copyinstr(arg0) : "?";
	printf("%d %6d %10d  %16s:%-4s %-8s %*s-> %s\n", cpu, pid, this->delta, "-", "-", "import",
	    self->depth * 2, "", this->module);
}

python$target:::import-find-load-done
{
	this->module = arg0 ? copyinstr(arg0) : "?";
	printf("%d %6d %10d  %16s:%-4s %-8s %*s<- %s%s\n", cpu, pid, this->delta, "-", "-", "import",
	    self->depth * 2, "", this->module, arg1 ? "" : " (failed)");
}

python$target:::gc-start
{
	printf("%d %6d %10d  %16s:%-4s %-8s %*s-> generation %d\n", cpu, pid, this->delta, "-", "-", "gc",
	    self->depth * 2, "", (int)arg0);
}

python$target:::gc-done
{
	printf("%d %6d %10d  %16s:%-4s %-8s %*s<- collected %d\n", cpu, pid, this->delta, "-", "-", "gc",
	    self->depth * 2, "", (int)arg0);
}

python$target:::function-entry,
python$target:::import-find-load-start,
python$target:::gc-start
{
	self->depth++;
}
