dtrace -qs decl-provider.d
