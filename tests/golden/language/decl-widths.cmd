dtrace -qs decl-widths.d
