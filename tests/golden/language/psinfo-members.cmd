dtrace -xerrtags -qs psinfo-members.d
