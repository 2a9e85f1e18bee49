dtrace -qs spec-discard.d
