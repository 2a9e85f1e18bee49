dtrace -xerrtags -qs bit-fields-arithmetic.d
