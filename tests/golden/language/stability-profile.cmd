dtrace -ve -n 'profile:::tick-1s { trace(arg0); }'
