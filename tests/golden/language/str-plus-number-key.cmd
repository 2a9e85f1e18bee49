dtrace -xerrtags -qs str-plus-number-key.d
