dtrace -xerrtags -qs inline-few-arguments.d
