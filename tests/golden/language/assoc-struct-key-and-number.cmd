dtrace -xerrtags -qs assoc-struct-key-and-number.d
