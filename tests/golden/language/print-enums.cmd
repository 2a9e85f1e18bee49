dtrace -qs print-enums.d
