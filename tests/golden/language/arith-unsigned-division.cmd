dtrace -xerrtags -qs arith-unsigned-division.d
