dtrace -xerrtags -qs array-unsigned-text.d
