dtrace -xerrtags -qs cerr-string-member.d
