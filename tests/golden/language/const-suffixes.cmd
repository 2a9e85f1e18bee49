dtrace -xerrtags -qs const-suffixes.d
