BEGIN { sym(0); usym(0x400000); func(0x10); ufunc(0x400000); mod(0); umod(0x400000); uaddr(0x400000); exit(0); }
