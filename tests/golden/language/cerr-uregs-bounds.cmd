dtrace -qs cerr-uregs-bounds.d
