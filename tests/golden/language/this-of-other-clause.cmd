dtrace -xerrtags -qs this-of-other-clause.d
