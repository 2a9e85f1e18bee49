BEGIN { @ = llquantize(500, 10, 2, 4, 10); @ = llquantize(50, 10, 2, 4, 10); @ = llquantize(5, 10, 2, 4, 10); exit(0); }
