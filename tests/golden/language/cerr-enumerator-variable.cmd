dtrace -xerrtags -qs cerr-enumerator-variable.d
