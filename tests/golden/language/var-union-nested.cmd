dtrace -qs var-union-nested.d
