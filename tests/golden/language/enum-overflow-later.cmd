dtrace -xerrtags -qs enum-overflow-later.d
