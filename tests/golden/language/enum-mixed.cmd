dtrace -xerrtags -qs enum-mixed.d
