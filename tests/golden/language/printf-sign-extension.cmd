dtrace -qs printf-sign-extension.d
