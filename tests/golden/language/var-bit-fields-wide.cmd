dtrace -qs var-bit-fields-wide.d
