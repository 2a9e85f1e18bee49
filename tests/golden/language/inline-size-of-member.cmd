dtrace -xerrtags -qs inline-size-of-member.d
