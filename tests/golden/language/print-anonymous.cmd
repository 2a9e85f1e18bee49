dtrace -qs print-anonymous.d
