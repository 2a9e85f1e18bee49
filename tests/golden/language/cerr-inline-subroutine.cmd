dtrace -qs cerr-inline-subroutine.d
