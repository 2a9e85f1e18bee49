dtrace -xerrtags -qs null-member-array.d
