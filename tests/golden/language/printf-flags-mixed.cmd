dtrace -qs printf-flags-mixed.d
