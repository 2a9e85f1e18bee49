dtrace -qs struct-string-member.d
