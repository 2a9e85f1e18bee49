dtrace -xerrtags -qs cerr-depends-module.d
