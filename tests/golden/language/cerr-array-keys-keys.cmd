dtrace -xerrtags -qs cerr-array-keys-keys.d
