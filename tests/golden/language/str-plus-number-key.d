BEGIN { s = "abcdef"; @[s + 2] = count(); a[s + 1] = 3; trace(a["bcdef"]); printf("%s\n", s + 4); exit(0); }
