dtrace -qs spec-several.d
