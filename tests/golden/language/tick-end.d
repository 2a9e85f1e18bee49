tick-10ms { trace(i++); }
tick-10ms /i == 3/ { exit(0); }
END { trace(i); }
