dtrace -xerrtags -qs var-named-probe.d
