dtrace -xerrtags -qs pragma-plain-line.d
