dtrace -xerrtags -qs assoc-struct-key.d
