dtrace -xerrtags -qs const-escapes-wide.d
