#!/usr/sbin/dtrace -Zs
/*
 * py_cpudist.d: how long the calls of each Python function were on a CPU, as pictures: a histogram for each function,
 * and for the garbage collector.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_cpudist.d -p 24601
 *	sudo dtrace -s toolkit/py_cpudist.d -p 24601	(DTrace 2.0 for Linux has no vtimestamp yet)
 *
 * Let it run for some seconds, then Ctrl-C prints the histograms. Exclusive is the time in the function itself,
 * inclusive also that in the functions that it called and in the collections that came while it ran. The time is
 * that on a CPU, without that asleep or waiting. Only calls that began and ended while we looked are counted.
 *
 * COLUMNS: file, type (func: a Python function; gc: a garbage collection) and name, and below them
 *
 *	value		microseconds for one call, from this power of two up to the next
 *	Distribution	the share of the calls that took so long
 *	count		how many they were
 *
 * EXAMPLE: the cat server makes six videos
 *
 *	Exclusive function on-CPU times (us),
 *	   demo.py, func, new_cat_video
 *	           value  ------------- Distribution ------------- count
 *	              32 |                                         0
 *	              64 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 6
 *	             128 |                                         0
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

	@exclusive[this->file, "func", this->name] = quantize(this->exclusive / 1000);
	@inclusive[this->file, "func", this->name] = quantize(this->inclusive / 1000);
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

	@exclusive["-", "gc", this->name] = quantize(this->exclusive / 1000);
	@inclusive["-", "gc", this->name] = quantize(this->inclusive / 1000);
}

dtrace:::END
{
	printf("\nExclusive function on-CPU times (us),\n");
	printa("   %s, %s, %s %@d\n", @exclusive);

	printf("\nInclusive function on-CPU times (us),\n");
	printa("   %s, %s, %s %@d\n", @inclusive);
}
