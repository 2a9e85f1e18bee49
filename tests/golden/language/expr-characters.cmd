dtrace -qs expr-characters.d
