dtrace -xerrtags -qs uregs-names.d
