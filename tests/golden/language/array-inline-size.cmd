dtrace -xerrtags -qs array-inline-size.d
