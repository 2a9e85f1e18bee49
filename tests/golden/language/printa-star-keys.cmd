dtrace -qs printa-star-keys.d
