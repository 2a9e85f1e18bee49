BEGIN { trace('\377'); trace('\xff'); trace('\x1ff'); trace('\400'); exit(0); }
