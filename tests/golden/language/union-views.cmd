dtrace -xerrtags -qs union-views.d
