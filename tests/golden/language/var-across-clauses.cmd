dtrace -xerrtags -qs var-across-clauses.d
