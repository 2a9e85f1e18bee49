dtrace -xerrtags -qs cerr-psinfo-member.d
