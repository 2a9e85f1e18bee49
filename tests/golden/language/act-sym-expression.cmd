dtrace -qs act-sym-expression.d
