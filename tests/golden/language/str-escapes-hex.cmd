dtrace -xerrtags -qs str-escapes-hex.d
