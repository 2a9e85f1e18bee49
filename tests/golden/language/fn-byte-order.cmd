dtrace -qs fn-byte-order.d
