dtrace -xerrtags -qs cerr-void-action.d
