/*
 * The provider `python`, described once. generate.py beside this file makes from it the probe table in C, the
 * header of the USDT sites, and docs/probes.md; on macOS, FreeBSD and illumos `dtrace -h -s` reads it as it is.
 *
 * The first group are the probes of CPython's own provider (Include/pydtrace.d), with the same meaning and
 * leading arguments; ours have further arguments behind them. A string that does not encode to UTF-8 is NULL.
 *
 * A comment above a probe is its description, word for word, in the table and the documentation.
 */
provider python {
	/* A Python function starts, or a generator or coroutine is resumed. line: of its `def` (0 for a module on 3.11+). */
	probe function__entry(char *file, char *func, int line, char *qualname);

	/* A Python function returns, yields or is left by an exception. line: where it is left. */
	probe function__return(char *file, char *func, int line, char *qualname);

	/* A line of Python is about to run. */
	probe line(char *file, char *func, int line);

	/* The cyclic garbage collector starts to collect this generation. */
	probe gc__start(int generation);

	/* The cyclic garbage collector is done. collected: objects found unreachable, uncollectable ones included. */
	probe gc__done(long collected);

	/* An import looks for a module that is not in sys.modules. */
	probe import__find__load__start(char *module);

	/* That search is over. found: 1 when the module was loaded, 0 when it failed. */
	probe import__find__load__done(char *module, int found);

	/* sys.audit was called (CPython 3.8+). args: the address of the tuple of its arguments. */
	probe audit(char *event, void *args);

	/* A function written in C is about to be called. file, line: of the caller; module: where func is defined. */
	probe c__function__entry(char *file, char *func, int line, char *module);

	/* A function written in C returned or raised. */
	probe c__function__return(char *file, char *func, int line, char *module);

	/* An exception is raised, once for each, not for each frame that it leaves. message: "" unless its first argument is a str. */
	probe exception__raise(char *type, char *message, char *file, int line);

	/* A thread starts to run Python. name: "" where threading has none for it; ident: as threading.get_ident(). */
	probe thread__start(char *name, unsigned long ident);

	/* A thread that has run Python ends. */
	probe thread__exit(char *name, unsigned long ident);

	/* CPython's allocator gave out memory. domain: "raw", "mem" (buffers) or "object", whichever was asked; one that is resized is a mem-free and a mem-alloc. */
	probe mem__alloc(unsigned long size, char *domain, void *address);

	/* CPython's allocator is given memory back. size: 0, as an allocator is not told it; the mem-alloc of the same address has it. */
	probe mem__free(unsigned long size, char *domain, void *address);
};
