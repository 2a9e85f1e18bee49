dtrace -xerrtags -qs lwpsinfo-members.d
