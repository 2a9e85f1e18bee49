dtrace -ve -s stability-script.d
