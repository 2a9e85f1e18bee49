dtrace -qs print-bit-fields.d
