dtrace -s act-sym-noq.d
