dtrace -qs print-enum-union.d
