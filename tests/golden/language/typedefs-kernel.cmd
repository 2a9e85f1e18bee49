dtrace -xerrtags -qs typedefs-kernel.d
