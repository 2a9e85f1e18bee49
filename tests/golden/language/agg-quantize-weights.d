BEGIN { @ = quantize(5, 3); @ = quantize(9, -2); @ = quantize(100, 0); exit(0); }
