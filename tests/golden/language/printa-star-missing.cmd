dtrace -qs printa-star-missing.d
