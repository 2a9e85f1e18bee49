dtrace -xerrtags -qs cast-widths.d
