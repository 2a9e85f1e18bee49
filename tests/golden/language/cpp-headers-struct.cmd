dtrace -Cqs cpp-headers-struct.d
