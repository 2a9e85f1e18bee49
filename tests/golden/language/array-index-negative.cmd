dtrace -xerrtags -qs array-index-negative.d
