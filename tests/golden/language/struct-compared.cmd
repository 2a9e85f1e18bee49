dtrace -xerrtags -qs struct-compared.d
