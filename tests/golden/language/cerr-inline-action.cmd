dtrace -qs cerr-inline-action.d
