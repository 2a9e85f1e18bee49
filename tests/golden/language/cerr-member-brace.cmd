dtrace -xerrtags -qs cerr-member-brace.d
