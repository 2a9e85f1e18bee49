#!/usr/sbin/dtrace -Zs
/*
 * b_py_calltime.d: how often each Python function was called, and how long it took, on its own and all in all.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s d_demo/b_py_calltime.d -p 24601
 *
 * or as root, by a tracer of the system; for bpftrace the script has a twin:
 *	sudo dtrace -s d_demo/b_py_calltime.d -p 24601
 *	sudo bpftrace --no-warnings -p 24601 d_demo/b_py_calltime.bt
 *
 * Let it run for some seconds, then Ctrl-C prints the three tables.
 *
 * COLUMNS
 *
 *	FILE	source file
 *	TYPE	func: a Python function; total: all of them together
 *	NAME	function
 *	COUNT	calls that returned, those alone whose beginning was seen; a generator counts at each resume
 *	TOTAL	microseconds on the clock, sleeping and waiting included; exclusive: in the function itself;
 *		inclusive: and in the functions that it called
 *
 * Each call of a recursive function is a call of its own, so its inclusive time holds an inner call's time once
 * for each level around it. Exclusive times hold everything exactly once: they add up to their total.
 *
 * EXAMPLE: the cat server, for five seconds (the functions of random.py left out)
 *
 *	Count,
 *	   FILE                 TYPE       NAME                                COUNT
 *	   demo.py              func       new_cat_video                          10
 *	   demo.py              func       find                                   73
 *	   -                    total      -                                     133
 *
 *	Exclusive function elapsed times (us),
 *	   FILE                 TYPE       NAME                                TOTAL
 *	   demo.py              func       find                                 1755
 *	   demo.py              func       new_cat_video                     2929003
 *	   -                    total      -                                 2931572
 *
 *	Inclusive function elapsed times (us),
 *	   FILE                 TYPE       NAME                                TOTAL
 *	   demo.py              func       new_cat_video                     2929091
 *	   demo.py              func       find                             20889120
 */

#pragma D option quiet
#pragma D option dynvarsize=16m

self int depth;
self uint64_t start[int];	/* when the call at this depth began */
self uint64_t callees[int];	/* what its callees have taken so far */

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::function-entry
{
	self->depth++;
	self->start[self->depth] = timestamp;
	self->callees[self->depth] = 0;
}

/* A call that was running before us has no start. */
python$target:::function-return
/self->start[self->depth]/
{
	this->inclusive = timestamp - self->start[self->depth];
	this->exclusive = this->inclusive - self->callees[self->depth];
	self->callees[self->depth - 1] += this->inclusive;

	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->name = arg1 ? copyinstr(arg1) : "?";

	@count[this->file, "func", this->name] = count();
	@count["-", "total", "-"] = count();
	@exclusive[this->file, "func", this->name] = sum(this->exclusive);
	@exclusive["-", "total", "-"] = sum(this->exclusive);
	@inclusive[this->file, "func", this->name] = sum(this->inclusive);
}

python$target:::function-return
/self->depth > 0/
{
	self->start[self->depth] = 0;
	self->callees[self->depth] = 0;
	self->depth--;
}

dtrace:::END
{
	printf("\nCount,\n");
	printf("   %-20s %-10s %-32s %8s\n", "FILE", "TYPE", "NAME", "COUNT");
	printa("   %-20s %-10s %-32s %@8d\n", @count);

	normalize(@exclusive, 1000);
	printf("\nExclusive function elapsed times (us),\n");
	printf("   %-20s %-10s %-32s %8s\n", "FILE", "TYPE", "NAME", "TOTAL");
	printa("   %-20s %-10s %-32s %@8d\n", @exclusive);

	normalize(@inclusive, 1000);
	printf("\nInclusive function elapsed times (us),\n");
	printf("   %-20s %-10s %-32s %8s\n", "FILE", "TYPE", "NAME", "TOTAL");
	printa("   %-20s %-10s %-32s %@8d\n", @inclusive);
}
