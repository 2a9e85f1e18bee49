#!/usr/sbin/dtrace -Zs
/*
 * py_cputime.d: how often each Python function was called, and how long it was on a CPU, on its own and all in all,
 * the time of the garbage collector apart.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_cputime.d -p 24601
 *	sudo dtrace -s toolkit/py_cputime.d -p 24601	(DTrace 2.0 for Linux has no vtimestamp yet)
 *
 * Let it run for some seconds, then Ctrl-C prints the three tables.
 *
 * COLUMNS
 *
 *	FILE	source file
 *	TYPE	func: a Python function; gc: a garbage collection; total: all of them together
 *	NAME	function, or which generation was collected
 *	COUNT	calls that returned, those alone whose beginning was seen; a generator counts at each resume
 *	TOTAL	microseconds on a CPU, without those asleep or waiting; exclusive: in the function itself;
 *		inclusive: and in the functions that it called, and in the collections that came while it ran
 *
 * Each call of a recursive function is a call of its own, so its inclusive time holds an inner call's time once
 * for each level around it. Exclusive times hold everything exactly once: they add up to their total.
 *
 * EXAMPLE: the cat server makes six videos (the functions of random.py left out)
 *
 *	Count,
 *	   FILE                 TYPE       NAME                                COUNT
 *	   demo.py              func       new_cat_video                           6
 *	   demo.py              func       find                                   38
 *	   -                    total      -                                      80
 *
 *	Exclusive function on-CPU times (us),
 *	   FILE                 TYPE       NAME                                TOTAL
 *	   demo.py              func       find                                  373
 *	   demo.py              func       new_cat_video                         768
 *	   -                    total      -                                    1588
 *
 *	Inclusive function on-CPU times (us),
 *	   FILE                 TYPE       NAME                                TOTAL
 *	   demo.py              func       new_cat_video                         799
 *	   demo.py              func       find                                 6671
 */

#pragma D option quiet
#pragma D option dynvarsize=16m

self int depth;
self uint64_t start[int];	/* the thread's CPU time when the call at this depth began */
self uint64_t callees[int];	/* what its callees have taken so far */
self int generation;
self uint64_t collecting;	/* the same of the collection, 0 when there is none */
self uint64_t before;		/* what the callees at this depth had taken before it */

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::function-entry
{
	self->depth++;
	self->start[self->depth] = vtimestamp;
	self->callees[self->depth] = 0;
}

/* A call that was running before us has no start. */
python$target:::function-return
/self->start[self->depth]/
{
	this->inclusive = vtimestamp - self->start[self->depth];
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

python$target:::gc-start
{
	self->generation = (int)arg0;
	self->collecting = vtimestamp;
	self->before = self->callees[self->depth];
}

/* What the collector called, finalizers and weak references' callbacks, has been counted among the callees. */
python$target:::gc-done
/self->collecting/
{
	this->inclusive = vtimestamp - self->collecting;
	this->exclusive = this->inclusive - (self->callees[self->depth] - self->before);
	self->callees[self->depth] = self->before + this->inclusive;
	self->collecting = 0;

	this->name = strjoin("generation ", lltostr(self->generation));

	@count["-", "gc", this->name] = count();
	@count["-", "total", "-"] = count();
	@exclusive["-", "gc", this->name] = sum(this->exclusive);
	@exclusive["-", "total", "-"] = sum(this->exclusive);
	@inclusive["-", "gc", this->name] = sum(this->inclusive);
}

dtrace:::END
{
	printf("\nCount,\n");
	printf("   %-20s %-10s %-32s %8s\n", "FILE", "TYPE", "NAME", "COUNT");
	printa("   %-20s %-10s %-32s %@8d\n", @count);

	normalize(@exclusive, 1000);
	printf("\nExclusive function on-CPU times (us),\n");
	printf("   %-20s %-10s %-32s %8s\n", "FILE", "TYPE", "NAME", "TOTAL");
	printa("   %-20s %-10s %-32s %@8d\n", @exclusive);

	normalize(@inclusive, 1000);
	printf("\nInclusive function on-CPU times (us),\n");
	printf("   %-20s %-10s %-32s %8s\n", "FILE", "TYPE", "NAME", "TOTAL");
	printa("   %-20s %-10s %-32s %@8d\n", @inclusive);
}
