dtrace -qs cerr-uregs-variable.d
