dtrace -qs bi-psinfo-constants.d
