dtrace -qs print-string-constant.d
