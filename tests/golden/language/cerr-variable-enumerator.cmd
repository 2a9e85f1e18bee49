dtrace -xerrtags -qs cerr-variable-enumerator.d
