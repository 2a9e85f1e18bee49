dtrace -qs offsetof-anonymous.d
