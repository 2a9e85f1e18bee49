/*
 * catprobe calltime: calls, and the time that they took in microseconds, for each function: exclusive, in the
 * function itself, and inclusive, with all that it called. The most expensive last.
 *
 * ${file}, ${function}: globs; ${mine?...}, ${thread?...}: what is there only with --mine, --thread.
 */
#pragma D option quiet
#pragma D option aggsize=16m
#pragma D option dynvarsize=16m
#pragma D option aggsortpos=1
#pragma D option maxcpu=90

self int depth;
self uint64_t start[int];	/* when the call at this depth began */
self uint64_t callees[int];	/* what its callees have taken so far */

python*:${file}:${function}:function-entry
${mine?/${ours}/}
{
	self->depth++;
	self->start[self->depth] = timestamp;
	self->callees[self->depth] = 0;
}

python*:${file}:${function}:function-return
/self->depth > 0${mine? && ${ours}}/
{
	this->inclusive = timestamp - self->start[self->depth];
	this->exclusive = this->inclusive - self->callees[self->depth];
	this->file = arg0 ? basename(copyinstr(arg0)) : "?";
	this->function = arg1 ? copyinstr(arg1) : "?";

	@calls[${thread?tid, }this->file, this->function] = count();
	@exclusive[${thread?tid, }this->file, this->function] = sum(this->exclusive);
	@inclusive[${thread?tid, }this->file, this->function] = sum(this->inclusive);

	self->start[self->depth] = 0;
	self->callees[self->depth] = 0;
	self->depth--;
	self->callees[self->depth] += self->depth > 0 ? this->inclusive : 0;
}

dtrace:::END
{
	normalize(@exclusive, 1000);
	normalize(@inclusive, 1000);
	printf("${thread?%8s }%-30s %-30s %9s %14s %14s\n", ${thread?"THREAD", }"FILE", "FUNCTION", "CALLS", "EXCLUSIVE(us)",
	    "INCLUSIVE(us)");
	printa("${thread?%8d }%-30s %-30s %@9d %@14d %@14d\n", @calls, @exclusive, @inclusive);
}
