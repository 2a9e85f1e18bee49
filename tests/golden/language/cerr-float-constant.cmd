dtrace -xerrtags -qs cerr-float-constant.d
