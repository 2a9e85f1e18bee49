dtrace -qs struct-tag-spaces.d
