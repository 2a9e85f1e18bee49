/*
 * catprobe timeline: each printf is an event that timeline.c takes; its first word says which one.
 *
 * The key of a call is the address of its name: a return needs no more to find its call, unless that was running
 * before the trace. ${file}, ${function}: globs; ${mine?...} and kin: what is there only with --mine and kin;
 * ${ours}, ${ours_raised}: the code is the program's own; ${expression}: that of --when.
 */
#pragma D option quiet
#pragma D option bufsize=64m

self int depth;

python*:${file}:${function}:function-entry
${mine?/${ours}/}
{
	printf("call %x %s %s %d\n", arg3, arg3 ? copyinstr(arg3) : "?", arg0 ? copyinstr(arg0) : "?", (int)arg2);
	self->depth++;
}

python*:${file}:${function}:function-return
/self->depth <= 0${mine? && ${ours}}/
{
	printf("left %x %s %s %d\n", arg3, arg3 ? copyinstr(arg3) : "?", arg0 ? copyinstr(arg0) : "?", (int)arg2);
}

python*:${file}:${function}:function-return
/self->depth > 0${mine? && ${ours}}/
{
	printf("return %x\n", arg3);
	self->depth--;
}

${exceptions?python*:${file}:${function}:exception-raise
${mine?/${ours_raised}/}
{
	printf("raise %s %s %s %d\n", arg0 ? copyinstr(arg0) : "?", arg1 ? copyinstr(arg1) : "",
	    arg2 ? copyinstr(arg2) : "?", (int)arg3);
}
}
python*:::gc-start
{
	printf("collect %d\n", (int)arg0);
}

python*:::gc-done
{
	printf("collected %d\n", (int)arg0);
}

python*:::import-find-load-start
{
	printf("import %s\n", arg0 ? copyinstr(arg0) : "?");
}

python*:::import-find-load-done
{
	printf("imported %s %d\n", arg0 ? copyinstr(arg0) : "?", (int)arg1);
}

python*:::thread-start
{
	printf("thread %s\n", arg0 ? copyinstr(arg0) : "");
}

python*:::thread-exit
{
	printf("exit\n");
}
${when?
python*:::function-entry,
python*:::function-return,
python*:::exception-raise
/(${expression})/
{
	printf("write\n");
}}
