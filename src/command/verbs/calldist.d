/*
 * catprobe calldist: how long the calls of each function took, as a histogram, in microseconds, with all that it
 * called.
 *
 * ${file}, ${function}: globs; ${mine?...}, ${thread?...}: what is there only with --mine, --thread.
 */
#pragma D option quiet
#pragma D option aggsize=16m
#pragma D option dynvarsize=16m
#pragma D option maxcpu=90

self int depth;
self uint64_t start[int];	/* when the call at this depth began */

python*:${file}:${function}:function-entry
${mine?/${ours}/}
{
	self->depth++;
	self->start[self->depth] = timestamp;
}

python*:${file}:${function}:function-return
/self->depth > 0${mine? && ${ours}}/
{
	@inclusive[${thread?tid, }arg0 ? basename(copyinstr(arg0)) : "?", arg1 ? copyinstr(arg1) : "?"] =
	    quantize((timestamp - self->start[self->depth]) / 1000);
	self->start[self->depth] = 0;
	self->depth--;
}

dtrace:::END
{
	printf("Microseconds for each call\n");
	printa("\n  ${thread?thread %d, }%s, %s\n%@d", @inclusive);
}
