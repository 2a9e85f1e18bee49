dtrace -xerrtags -qs struct-in-struct-copy.d
