dtrace -Cqs cpp-headers.d
