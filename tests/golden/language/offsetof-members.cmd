dtrace -qs offsetof-members.d
