dtrace -xerrtags -qs str-null-assigned.d
