struct zs { int a; } x; struct zs y; BEGIN { self->s = x; trace(self->s.a); exit(0); }
