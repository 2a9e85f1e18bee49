BEGIN { @ = llquantize(5, 10, 0, 6, 20); @ = llquantize(123, 10, 0, 6, 20); @ = llquantize(10000000, 10, 0, 6, 20); @ = llquantize(0, 10, 0, 6, 20); @ = llquantize(-50, 10, 0, 6, 20); exit(0); }
