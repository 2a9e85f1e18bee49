dtrace -xerrtags -qs cerr-alloca-member.d
