dtrace -qs var-bit-fields-signed.d
