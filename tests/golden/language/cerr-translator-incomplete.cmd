dtrace -xerrtags -qs cerr-translator-incomplete.d
