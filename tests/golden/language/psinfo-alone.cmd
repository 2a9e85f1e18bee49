dtrace -xerrtags -qs psinfo-alone.d
