dtrace -qs pragma-version.d
