/*
 * catprobe calls: how often each function is called; the most called last.
 *
 * ${file}, ${function}: globs; ${mine?...}, ${thread?...}: what is there only with --mine, --thread.
 */
#pragma D option quiet
#pragma D option aggsize=16m
#pragma D option maxcpu=90

python*:${file}:${function}:function-entry
${mine?/${ours}/}
{
	@calls[${thread?tid, }arg0 ? basename(copyinstr(arg0)) : "?", arg1 ? copyinstr(arg1) : "?"] = count();
}

dtrace:::END
{
	printf("${thread?%8s }%-30s %-36s %10s\n", ${thread?"THREAD", }"FILE", "FUNCTION", "CALLS");
	printa("${thread?%8d }%-30s %-36s %@10d\n", @calls);
}
