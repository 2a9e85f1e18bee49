dtrace -qs translator.d
