dtrace -ev -n 'profile:::tick-1s{exit(0)}' -n 'BEGIN{exit(0)}'
