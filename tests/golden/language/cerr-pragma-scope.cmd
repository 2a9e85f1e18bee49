dtrace -xerrtags -qs cerr-pragma-scope.d
