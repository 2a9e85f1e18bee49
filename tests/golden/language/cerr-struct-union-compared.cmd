dtrace -xerrtags -qs cerr-struct-union-compared.d
