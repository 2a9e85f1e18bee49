struct text { int a; };
struct source { int b; };
translator struct text < struct source *p > { a = p->b; };
struct source *s;
BEGIN { curpsinfo; (void)curlwpsinfo; 1 ? curpsinfo : 0; s = alloca(4); s->b = 7; xlate <struct text *> (s); xlate <struct text> (s); trace("done"); exit(0); }
