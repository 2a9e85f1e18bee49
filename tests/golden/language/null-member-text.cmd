dtrace -xerrtags -qs null-member-text.d
