/*
 * catprobe flow: every call and every return as it happens, indented by depth.
 *
 * ${file}, ${function}: globs; ${mine?...}, ${thread?...}: what is there only with --mine, --thread.
 */
#pragma D option quiet
#pragma D option maxrate=250000
#pragma D option maxcpu=90

self int depth;
self uint64_t last;

dtrace:::BEGIN
{
	printf("%7s ${thread?%8s }%10s  %26s:%-5s %s\n", "PID", ${thread?"THREAD", }"DELTA(us)", "FILE", "LINE", "FUNCTION");
}

python*:${file}:${function}:function-entry
${mine?/${ours}/}
{
	printf("%7d ${thread?%8d }%10d  %26s:%-5d %*s-> %s\n", pid, ${thread?tid, }
	    self->last ? (timestamp - self->last) / 1000 : 0, arg0 ? basename(copyinstr(arg0)) : "?", (int)arg2,
	    self->depth * 2, "", arg1 ? copyinstr(arg1) : "?");
	self->depth++;
	self->last = timestamp;
}

python*:${file}:${function}:function-return
${mine?/${ours}/}
{
	self->depth -= self->depth > 0;
	printf("%7d ${thread?%8d }%10d  %26s:%-5d %*s<- %s\n", pid, ${thread?tid, }
	    self->last ? (timestamp - self->last) / 1000 : 0, arg0 ? basename(copyinstr(arg0)) : "?", (int)arg2,
	    self->depth * 2, "", arg1 ? copyinstr(arg1) : "?");
	self->last = timestamp;
}
