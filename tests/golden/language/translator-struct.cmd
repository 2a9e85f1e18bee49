dtrace -xerrtags -qs translator-struct.d
