dtrace -qs printa-star-key.d
