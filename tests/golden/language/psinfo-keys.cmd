dtrace -xerrtags -qs psinfo-keys.d
