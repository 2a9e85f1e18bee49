dtrace -xnspec=3 -qs spec-nspec.d
