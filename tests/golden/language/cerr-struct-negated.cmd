dtrace -xerrtags -qs cerr-struct-negated.d
