dtrace -xerrtags -qs union-words.d
