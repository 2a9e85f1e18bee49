/*
 * catprobe slow: each printf is an event that slow.c takes; its first word says which one. Nothing is recorded
 * but what happens within a call of the function asked for.
 *
 * The key finds the call of a return. ${file}, ${function}: globs; ${mine?...}: what is there only with --mine;
 * ${ours}: the code is the program's own.
 */
#pragma D option quiet
#pragma D option bufsize=64m

self int inside;	/* so many calls of the function */
self int watched;	/* it is this one */

python*:${file}:${function}:function-entry
{
	self->inside++;
	self->watched = 1;
}

python*:::function-entry
/self->inside > 0${mine? && (self->watched || (${ours}))}/
{
	printf("call %d %x %s %s %d\n", self->watched, arg0 * 31 + arg3, arg3 ? copyinstr(arg3) : "?",
	    arg0 ? copyinstr(arg0) : "?", (int)arg2);
	self->watched = 0;
}

python*:::function-return
/self->inside > 0/
{
	printf("return %x\n", arg0 * 31 + arg3);
}

python*:${file}:${function}:function-return
/self->inside > 0/
{
	self->inside--;
}

python*:::thread-start
{
	printf("thread %s\n", arg0 ? copyinstr(arg0) : "");
}
