dtrace -qs registers-names.d
