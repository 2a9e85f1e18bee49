dtrace -xerrtags -qs const-escapes.d
