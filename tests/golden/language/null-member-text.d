struct zs { int a; char c[8]; } *p; BEGIN { trace(stringof(p->c)); exit(0); } ERROR { printf("%d %x\n", arg4, arg5); exit(1); }
