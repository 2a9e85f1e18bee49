dtrace -s aggsize-small.d
