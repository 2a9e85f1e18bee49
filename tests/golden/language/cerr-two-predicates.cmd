dtrace -xerrtags -qs cerr-two-predicates.d
