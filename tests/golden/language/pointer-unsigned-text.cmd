dtrace -xerrtags -qs pointer-unsigned-text.d
