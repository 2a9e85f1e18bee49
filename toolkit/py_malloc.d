#!/usr/sbin/dtrace -Zs
/*
 * py_malloc.d: the memory that a Python program asks its allocator for: how much, of what size, in which function.
 *
 * USAGE, for the process 24601:
 *
 *	catprobe -s toolkit/py_malloc.d -p 24601
 *	sudo dtrace -s toolkit/py_malloc.d -p 24601
 *
 * Let it run for some seconds, then Ctrl-C prints the table and the histograms.
 *
 * COLUMNS of the table
 *
 *	DOMAIN	raw: straight from the C library; mem: buffers; object: Python objects
 *	ALLOCS	how many pieces of memory were given out; one that is resized counts as given back and given out
 *	FREES	how many were given back
 *	BYTES	the sum of the sizes of those given out
 *
 * and of the histograms: file, type and name of the Python function that ran (-, - and - where none was seen to begin),
 * and below them
 *
 *	value		bytes of one piece, from this power of two up to the next
 *	Distribution	the share of the pieces of that size
 *	count		how many they were
 *
 * EXAMPLE: the cat server makes some videos (the functions of random.py left out)
 *
 *	Python malloc by domain,
 *	   DOMAIN           ALLOCS        FREES            BYTES
 *	   object              300          300            21450
 *
 *	Python malloc byte distributions by function,
 *	   demo.py, func, new_cat_video
 *	           value  ------------- Distribution ------------- count
 *	              32 |                                         0
 *	              64 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 36
 *	             128 |                                         0
 *
 *	   demo.py, func, find
 *	           value  ------------- Distribution ------------- count
 *	              32 |                                         0
 *	              64 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 216
 *	             128 |                                         0
 */

#pragma D option quiet
#pragma D option dynvarsize=16m

self int depth;
self string file[int];	/* of the call at this depth */
self string name[int];

dtrace:::BEGIN
{
	printf("Tracing... Hit Ctrl-C to end.\n");
}

python$target:::function-entry
{
	self->depth++;
	self->file[self->depth] = arg0 ? basename(copyinstr(arg0)) : "?";
	self->name[self->depth] = arg1 ? copyinstr(arg1) : "?";
}

python$target:::function-return
/self->depth > 0/
{
	self->file[self->depth] = 0;
	self->name[self->depth] = 0;
	self->depth--;
}

python$target:::mem-alloc
{
	@allocs[copyinstr(arg1)] = count();
	@bytes[copyinstr(arg1)] = sum(arg0);
}

python$target:::mem-alloc
/self->depth > 0/
{
	@sizes[self->file[self->depth], "func", self->name[self->depth]] = quantize(arg0);
}

python$target:::mem-alloc
/self->depth == 0/
{
	@sizes["-", "-", "-"] = quantize(arg0);
}

python$target:::mem-free
{
	@frees[copyinstr(arg1)] = count();
}

dtrace:::END
{
	printf("\nPython malloc by domain,\n");
	printf("   %-10s %12s %12s %16s\n", "DOMAIN", "ALLOCS", "FREES", "BYTES");
	printa("   %-10s %@12d %@12d %@16d\n", @allocs, @frees, @bytes);

	printf("\nPython malloc byte distributions by function,\n");
	printa("   %s, %s, %s %@d\n", @sizes);
}
