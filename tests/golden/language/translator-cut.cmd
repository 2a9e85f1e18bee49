dtrace -xerrtags -qs translator-cut.d
