dtrace -xerrtags -qs alloca-compared.d
