dtrace -qs var-bit-fields.d
