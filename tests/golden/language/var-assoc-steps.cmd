dtrace -qs var-assoc-steps.d
