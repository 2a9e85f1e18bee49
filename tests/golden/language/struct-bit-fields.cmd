dtrace -qs struct-bit-fields.d
