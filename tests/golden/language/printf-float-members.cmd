dtrace -xerrtags -qs printf-float-members.d
