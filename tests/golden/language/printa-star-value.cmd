dtrace -qs printa-star-value.d
