struct zs { double d; float f; long double l; } x; BEGIN { printf("%f %f", x.d, x.f); trace(x.d); exit(0); }
