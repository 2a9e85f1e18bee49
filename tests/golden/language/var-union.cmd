dtrace -qs var-union.d
