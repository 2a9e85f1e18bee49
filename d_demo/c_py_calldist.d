#!/usr/sbin/dtrace -Zs
/*
 * c_py_calldist.d: how long the calls of each Python function took, as pictures: a histogram for each function.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s d_demo/c_py_calldist.d -p 24601
 *
 * or as root, by a tracer of the system; for bpftrace the script has a twin:
 *	sudo dtrace -s d_demo/c_py_calldist.d -p 24601
 *	sudo bpftrace --no-warnings -p 24601 d_demo/c_py_calldist.bt
 *
 * Let it run for some seconds, then Ctrl-C prints the histograms: file, type and name of the function, then
 *
 *	value		microseconds for one call, from this power of two up to the next
 *	Distribution	the share of the calls that took so long
 *	count		how many they were
 *
 * Exclusive is the time in the function itself, inclusive also that in the functions that it called. The time is that
 * of the clock, sleeping and waiting included. Only calls that began and ended while we looked are counted.
 *
 * EXAMPLE
 *
 *	   demo.py, func, new_cat_video
 *	           value  ------------- Distribution ------------- count
 *	           65536 |                                         0
 *	          131072 |@@@@@@@@@@@@@@@@@                        6
 *	          262144 |@@@@@@@@@@@@@@@@@@@@@@@                  8
 *	          524288 |                                         0
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

dtrace:::END
{
	printf("\nExclusive function elapsed times (us),\n");
	printa("   %s, %s, %s %@d\n", @exclusive);

	printf("\nInclusive function elapsed times (us),\n");
	printa("   %s, %s, %s %@d\n", @inclusive);
}
