dtrace -qs var-bit-fields-cut.d
