dtrace -xerrtags -qs null-member-dot.d
