dtrace -xerrtags -qs enum-cast.d
