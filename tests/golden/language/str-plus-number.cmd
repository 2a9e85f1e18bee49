dtrace -xerrtags -qs str-plus-number.d
