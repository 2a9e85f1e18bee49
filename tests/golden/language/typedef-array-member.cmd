dtrace -xerrtags -qs typedef-array-member.d
