dtrace -qs const-libraries.d
