dtrace -xerrtags -qs cerr-pragma-component.d
