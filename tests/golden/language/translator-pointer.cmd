dtrace -xerrtags -qs translator-pointer.d
