BEGIN { trace('\n'); trace('\t'); trace('\\'); trace('\''); trace('"'); trace('\"'); trace('\0'); trace('\101'); trace('\x41'); trace('\a'); trace('\?'); exit(0); }
