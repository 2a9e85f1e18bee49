dtrace -xbufsize=4 -n 'BEGIN { exit(0); }'
