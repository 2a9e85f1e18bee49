dtrace -xerrtags -qs shift-and-division.d
