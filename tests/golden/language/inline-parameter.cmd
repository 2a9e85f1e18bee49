dtrace -xerrtags -qs inline-parameter.d
