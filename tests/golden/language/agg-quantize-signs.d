BEGIN { @ = quantize(0); @ = quantize(-1); @ = quantize(1); @ = quantize(1024); @ = quantize(-1024); exit(0); }
