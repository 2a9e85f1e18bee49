dtrace -qs cerr-uregs-two.d
