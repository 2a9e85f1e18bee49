dtrace -xerrtags -qs inline-enumerator.d
