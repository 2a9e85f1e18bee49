dtrace -xerrtags -qs offsetof-psinfo.d
